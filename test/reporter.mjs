/** Jest reporter: closes the run on one plain line, `N passed, N failed, N skipped`, that any CI can read. */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const failedToRun = results.testResults.filter((file) => file.testExecError).length;
    const skipped = results.numPendingTests + results.numTodoTests;
    const failed = results.numFailedTests + failedToRun;
    // Jest's own summary and the teardown of clusters come later; ours must be the last line. A run that breaks
    // down after its tests, or is interrupted among them, has not passed.
    process.once('exit', (status) => {
      const brokenDown = status !== 0 && failed === 0 ? 1 : 0;
      process.stdout.write(
        `${results.numPassedTests} passed, ${failed + brokenDown} failed, ${skipped} skipped\n`,
      );
    });
  }
}
