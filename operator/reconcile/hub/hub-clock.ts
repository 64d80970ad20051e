/** The hub's own time in milliseconds since 1970: it begins as the wall clock and never jumps after that. */
import type { Clock } from '../../runtime/clock.ts';

export class HubClock {
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.begin();
  }

  /** Takes the time from the wall, once: when the hub begins to lead. */
  begin(): void {
    this.#offsetMs = this.#clock.now().getTime() - this.#clock.monotonicSeconds() * 1000;
  }

  nowMs(): number {
    return Math.round(this.#offsetMs + this.#clock.monotonicSeconds() * 1000);
  }
}
