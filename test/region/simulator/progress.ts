/** How far many schedules are, on standard error, every few seconds. */
const EVERY_MS = 5_000;

export class Progress {
  readonly #total: number;
  readonly #beganAt = performance.now();
  #toldAt = this.#beganAt;
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** One more is done. */
  done(): void {
    this.#done++;
    const now = performance.now();
    if (now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    const perSecond = this.#done / ((now - this.#beganAt) / 1000);
    const left = Math.round((this.#total - this.#done) / perSecond);
    console.error(
      `${this.#done} of ${this.#total} schedules, ${perSecond.toFixed(1)} in a second, ${left} s left`,
    );
  }
}
