/** Time, passed to whoever needs it, so that tests can stop it and move it. */

export interface Clock {
  /** Milliseconds since the epoch; may jump, so never measure with it. */
  epochMilliseconds(): number;
  /** Milliseconds since an arbitrary start; never goes back. All durations are measured with it. */
  monotonicMilliseconds(): number;
  /** Calls back once after `seconds`; the returned function cancels. A waiting timer keeps no process alive. */
  after(seconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  epochMilliseconds: () => Date.now(),
  monotonicMilliseconds: () => performance.now(),
  after(seconds, callback) {
    const timer = setTimeout(callback, seconds * 1000);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `seconds`, or at once when `signal` aborts. Never rejects. */
export function sleep(clock: Pick<Clock, 'after'>, seconds: number, signal?: AbortSignal): Promise<void> {
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
