/** Asking again until something is so. */
import type { Clock } from '../runtime/clock.ts';

/** Where the documentation installs the operator. */
export const operatorNamespace = 'aicity-system';

const ASK_EVERY_SECONDS = 0.5;

/** @returns what `ask` found, or undefined when the time was up */
export async function until<T>(
  clock: Clock,
  timeoutSeconds: number,
  ask: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = clock.monotonicSeconds() + timeoutSeconds;
  for (;;) {
    const found = await ask();
    if (found !== undefined || clock.monotonicSeconds() >= deadline) return found;
    await clock.sleep(ASK_EVERY_SECONDS);
  }
}
