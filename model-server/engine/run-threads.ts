/** Who uses the threads that run models, which all models of the process share. Pure but for the clock that it is given. */

/** A model that was the only one for so long goes on being it, as far as can be known. */
const SOLE_USER_AFTER_MILLISECONDS = 1000;

export class RunThreads {
  readonly #now: () => number;
  #runs = 0;
  #user: object | undefined;
  #since = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs that a thread computes, or that wait for one. */
  get runs(): number {
    return this.#runs;
  }

  /** Counts a run until it settles. */
  async during<T>(run: Promise<T>): Promise<T> {
    this.#runs++;
    try {
      return await run;
    } finally {
      this.#runs--;
    }
  }

  /** A model is about to run. */
  use(model: object): void {
    if (this.#user === model) return;
    if (this.#user) this.#since = this.#now();
    this.#user = model;
  }

  /** Whether no other model has run for a while. */
  isSoleUser(model: object): boolean {
    return this.#user === model && this.#now() - this.#since >= SOLE_USER_AFTER_MILLISECONDS;
  }
}
