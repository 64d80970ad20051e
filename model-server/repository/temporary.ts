import type { Clock } from '../clock.ts';

/** What is good until a point in time: keys and tokens that somebody lends. */
export interface Temporary<T> {
  value: T;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** Replaced so long before its end, so that what is asked with it is answered in time. */
const RENEW_BEFORE_MILLISECONDS = 5 * 60_000;

/** Where nobody lends anything, nobody is asked again so soon: every request would wait for it. */
const NOBODY_MILLISECONDS = 60_000;

/** Keeps what is lent, by whom it is of; those who ask at the same time wait for the same answer. */
export class TemporaryKeys<T> {
  readonly #known = new Map<string, Promise<Temporary<T> | Temporary<undefined>>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What could not be had is asked for again the next time. */
  async get(name: string, lend: () => Promise<Temporary<T>>): Promise<T> {
    return (await this.#get(name, lend)) as T;
  }

  /** The same where nobody may be there to lend; `signal` tells giving up from not being there. */
  async getIfAny(
    name: string,
    lend: () => Promise<Temporary<T>>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    return this.#get(name, () =>
      lend().catch(() => {
        signal.throwIfAborted();
        const until = this.#clock.epochMilliseconds() + NOBODY_MILLISECONDS;
        return { value: undefined, expiresAt: until + RENEW_BEFORE_MILLISECONDS };
      }),
    );
  }

  async #get(name: string, lend: () => Promise<Temporary<T> | Temporary<undefined>>): Promise<T | undefined> {
    const pending = this.#known.get(name);
    const known = pending && (await pending);
    if (known && known.expiresAt - RENEW_BEFORE_MILLISECONDS > this.#clock.epochMilliseconds())
      return known.value;
    const lending = lend();
    this.#known.set(name, lending);
    lending.catch(() => this.#known.delete(name));
    return (await lending).value;
  }
}
