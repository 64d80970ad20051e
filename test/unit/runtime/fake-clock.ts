import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, sleepOn } from '../../../operator/runtime/clock.ts';

/** A clock that stands still until it is told to move. */
export class FakeClock implements Clock {
  #seconds = 0;
  #wallOffsetSeconds = 0;
  #serial = 0;
  readonly #timers = new Map<number, { readonly atSeconds: number; readonly callback: () => void }>();
  readonly #start: number;

  constructor(start = '2026-01-01T00:00:00.000Z') {
    this.#start = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#start + (this.#seconds + this.#wallOffsetSeconds) * 1000);
  }

  monotonicSeconds(): number {
    return this.#seconds;
  }

  after(seconds: number, callback: () => void): () => void {
    this.#serial += 1;
    const id = this.#serial;
    this.#timers.set(id, { atSeconds: this.#seconds + Math.max(seconds, 0), callback });
    return () => this.#timers.delete(id);
  }

  sleep(seconds: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, seconds, signal);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Somebody sets the wall clock; durations must not notice. */
  jumpWall(seconds: number): void {
    this.#wallOffsetSeconds += seconds;
  }

  /** Time passes while no code of ours runs, as when the process is frozen; what is due fires afterwards. */
  freeze(seconds: number): void {
    this.#seconds += seconds;
  }

  /** Lets time pass; everything that becomes due happens in order, with all that follows from it at once. */
  async advance(seconds: number): Promise<void> {
    const until = this.#seconds + seconds;
    await settle();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      const [id, { atSeconds, callback }] = next;
      this.#timers.delete(id);
      this.#seconds = Math.max(this.#seconds, atSeconds);
      callback();
      await settle();
    }
    this.#seconds = until;
  }

  #next(until: number) {
    return [...this.#timers]
      .filter(([, { atSeconds }]) => atSeconds <= until)
      .sort(([a, left], [b, right]) => left.atSeconds - right.atSeconds || a - b)[0];
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}
