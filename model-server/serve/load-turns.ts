/**
 * What all loads of a process share. One at a time is in the engine, and a turn ends only when the model that was
 * replaced is out of memory: whatever is asked for, memory never holds more than one model beyond those that serve.
 * The cache is tidied when no load goes on, so that no model is removed between its fetch and its first answer.
 */
export class LoadTurns {
  #last: Promise<void> = Promise.resolve();
  readonly #leaving = new Set<Promise<void>>();
  #loads = 0;
  #untidy = false;
  readonly #tidy: () => void;

  /** @param tidy removes from the cache what no model needs; must not throw. */
  constructor(tidy: () => void) {
    this.#tidy = tidy;
  }

  /** A load begins, with its fetch. @returns the call that says it has ended; once. */
  begin(): () => void {
    this.#loads++;
    return () => {
      this.#loads--;
      this.#tidyIfIdle();
    };
  }

  /** Waits for the engine to be free of other loads. @returns the call that gives the turn on; once. */
  async take(): Promise<() => void> {
    const before = this.#last;
    let give = () => {};
    this.#last = new Promise((resolve) => {
      give = resolve;
    });
    await before;
    return () => void Promise.all(this.#leaving).then(give);
  }

  /** A model is being unloaded, which ends with its last answer: until then the turn is not given on. */
  leaving(unloaded: Promise<void>): void {
    this.#leaving.add(unloaded);
    void unloaded.finally(() => this.#leaving.delete(unloaded));
  }

  /** Other models are served than before: tidies as soon as no load goes on. */
  served(): void {
    this.#untidy = true;
    this.#tidyIfIdle();
  }

  #tidyIfIdle(): void {
    if (!this.#untidy || this.#loads > 0) return;
    this.#untidy = false;
    this.#tidy();
  }
}
