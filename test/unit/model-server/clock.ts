/** A clock that stands still until a test moves it. */
import type { Clock } from '../../../model-server/clock.ts';

export class TestClock implements Clock {
  #now = 0;
  #timers = new Set<{ at: number; callback: () => void }>();

  epochMilliseconds(): number {
    return Math.round(1_700_000_000_000 + this.#now);
  }

  monotonicMilliseconds(): number {
    return this.#now;
  }

  after(seconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + seconds * 1000, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves on, timer by timer; between them everything that is ready gets its turn. */
  async advance(seconds: number): Promise<void> {
    const end = this.#now + seconds * 1000;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = end;
    await settled();
  }

  get timers(): number {
    return this.#timers.size;
  }
}

/** Lets promises and immediates that are due run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
