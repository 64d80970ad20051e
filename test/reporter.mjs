/** Jest reporter: closes the run on one plain line, `N passed, N failed, N skipped`, that any CI can read. */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const failedToRun = results.testResults.filter((file) => file.testExecError).length;
    const skipped = results.numPendingTests + results.numTodoTests;
    this.line = `${results.numPassedTests} passed, ${results.numFailedTests + failedToRun} failed, ${skipped} skipped`;
    // Jest's own summary and the teardown of clusters come later; ours must be the last line.
    process.once('exit', () => process.stdout.write(`${this.line}\n`));
  }
}
