/** Adds up the time in which at least one piece of work was going on. Pure but for the clock that it is given. */
export class BusyTime {
  readonly #now: () => number;
  #finished = 0;
  #since = 0;
  #going = 0;

  /** @param now seconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Pieces of work going on. */
  get going(): number {
    return this.#going;
  }

  /** The busy time so far in seconds, what is going on included. */
  get seconds(): number {
    return this.#going === 0 ? this.#finished : this.#finished + this.#now() - this.#since;
  }

  /** Counts the time until the work settles, what it does before it gives its promise included. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#going++ === 0) this.#since = this.#now();
    try {
      return await work();
    } finally {
      if (--this.#going === 0) this.#finished += this.#now() - this.#since;
    }
  }
}
