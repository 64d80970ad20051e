/** The hub's own time in milliseconds since 1970: it begins as the wall clock and never jumps after that. */
import type { Clock } from '../../runtime/clock.ts';

export class HubClock {
  readonly #clock: Clock;
  readonly #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.now().getTime() - clock.monotonicSeconds() * 1000;
  }

  nowMs(): number {
    return Math.round(this.#offsetMs + this.#clock.monotonicSeconds() * 1000);
  }
}
