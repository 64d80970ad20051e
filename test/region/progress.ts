/**
 * Progress on standard error for people who wait. Work that ends within a second prints nothing; longer work
 * says that it began, shows its clock now and then, and says how long it took.
 */
const quietMilliseconds = 1_000;
const reminderMilliseconds = 20_000;

/**
 * Runs `work` under the name `what`.
 *
 * @param what what is being done, in a few words ("building kube binaries from Go modules")
 * @param expectation how long it usually takes, for a person ("about 10 minutes the first time")
 */
export async function step<T>(what: string, work: () => Promise<T>, expectation?: string): Promise<T> {
  const startedAt = Date.now();
  const title = expectation ? `${what} (${expectation})` : what;
  let announced = false;
  const announce = () => {
    announced = true;
    say(title);
  };
  const first = setTimeout(announce, quietMilliseconds);
  const reminder = setInterval(
    () => say(`${title} … ${clock(Date.now() - startedAt)}`),
    reminderMilliseconds,
  );
  try {
    const result = await work();
    if (announced) say(`${what}: done in ${clock(Date.now() - startedAt)}`);
    return result;
  } catch (error) {
    say(`${what}: failed after ${clock(Date.now() - startedAt)}`);
    throw error;
  } finally {
    clearTimeout(first);
    clearInterval(reminder);
  }
}

/** Prints one line about the region. */
export function say(line: string): void {
  process.stderr.write(`[region] ${line}\n`);
}

/** A duration as a person reads it on a stopwatch: `0:07`, `3:20`. */
export function clock(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
