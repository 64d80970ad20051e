/**
 * Time, passed to whoever needs it, so that tests can stop it and move it.
 */

export interface Clock {
  /** Wall-clock time, for what people read. It may jump; never measure with it. */
  now(): Date;
  /** Seconds since an arbitrary start; never jumps, never goes back. All durations are measured with it. */
  monotonicSeconds(): number;
  /** Calls back once after `seconds`; the returned function cancels. */
  after(seconds: number, callback: () => void): () => void;
  /** Resolves after `seconds`, or at once when `signal` aborts. Never rejects. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay a Node timer can hold; a longer one would fire at once. */
const longestDelayMilliseconds = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicSeconds: () => performance.now() / 1000,
  after(seconds, callback) {
    const delayMilliseconds = Math.min(Math.max(seconds * 1000, 0), longestDelayMilliseconds);
    const timer = setTimeout(callback, delayMilliseconds);
    return () => clearTimeout(timer);
  },
  sleep(seconds, signal) {
    return sleepOn(this, seconds, signal);
  },
};

/** `Clock.sleep` made of `Clock.after`, for any clock. */
export function sleepOn(clock: Pick<Clock, 'after'>, seconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.after(seconds, wake);
    signal?.addEventListener('abort', wake);
  });
}
