import type { Clock } from '../clock.ts';

/** What is good until a point in time: keys and tokens that somebody lends. */
export interface Temporary<T> {
  value: T;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** Replaced so long before its end, so that what is asked with it is answered in time. */
const RENEW_BEFORE_MILLISECONDS = 5 * 60_000;

/** Keeps what is lent, by whom it is of. What could not be had is asked for again the next time. */
export class TemporaryKeys<T> {
  readonly #known = new Map<string, Temporary<T>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(name: string, lend: () => Promise<Temporary<T>>): Promise<T> {
    const known = this.#known.get(name);
    if (known && known.expiresAt - RENEW_BEFORE_MILLISECONDS > this.#clock.epochMilliseconds())
      return known.value;
    const fresh = await lend();
    this.#known.set(name, fresh);
    return fresh.value;
  }
}
