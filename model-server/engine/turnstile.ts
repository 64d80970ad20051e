/**
 * Lets work into TensorFlow one piece at a time, in the order of arrival, and measures for how long it was occupied.
 */
export class Turnstile {
  #last: Promise<unknown> = Promise.resolve();
  #inFlight = 0;
  #busyMilliseconds = 0;
  #startedAt: number | undefined;
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Pieces of work handed over and not finished. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Seconds of work since the start, the piece in progress included. */
  get busySeconds(): number {
    const current = this.#startedAt === undefined ? 0 : this.#now() - this.#startedAt;
    return (this.#busyMilliseconds + current) / 1000;
  }

  /** Runs `work` after all that was handed over before it, whatever became of that. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    const turn = this.#inFlight === 1 ? this.#timed(work) : this.#last.then(() => this.#timed(work));
    // The queue goes on after a failure, which is the caller's to handle.
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #timed<T>(work: () => Promise<T>): Promise<T> {
    this.#startedAt = this.#now();
    try {
      return await work();
    } finally {
      this.#busyMilliseconds += this.#now() - this.#startedAt;
      this.#startedAt = undefined;
    }
  }

  /** Settles when everything handed over so far is finished. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
