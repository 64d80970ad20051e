/** Links between the hub and the cities, and between cities: slow, lossy, cut. Messages may overtake each other. */
import type { Agenda } from './agenda.ts';
import type { Random } from './random.ts';

export const HUB = 'hub';

export interface Weather {
  readonly lossShare: number;
  readonly slowestMs: number;
}

const FAIR: Weather = { lossShare: 0.003, slowestMs: 80 };

export class Network {
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #cut = new Set<string>();
  readonly #weather = new Map<string, Weather>();
  /** Messages from cities; the hub answers each. */
  reports = 0;
  /** Nothing is lost any more. */
  isCalm = false;

  constructor(agenda: Agenda, random: Random) {
    this.#agenda = agenda;
    this.#random = random;
  }

  cut(a: string, b: string): void {
    this.#cut.add(linkOf(a, b));
  }

  heal(a: string, b: string): void {
    this.#cut.delete(linkOf(a, b));
  }

  isOpen(a: string, b: string): boolean {
    return !this.#cut.has(linkOf(a, b));
  }

  /** Weather of the links of one place; undefined for fair. */
  setWeather(place: string, weather: Weather | undefined): void {
    if (weather) this.#weather.set(place, weather);
    else this.#weather.delete(place);
  }

  /** Delivers later, twice, or never: a message is lost when its link is cut at either end of its way. */
  send(from: string, to: string, deliver: () => void): void {
    if (to === HUB) this.reports++;
    const { lossShare, slowestMs } = this.#weather.get(from) ?? this.#weather.get(to) ?? FAIR;
    if (!this.isOpen(from, to) || (!this.isCalm && this.#random.chance(lossShare))) return;
    for (let copies = this.#random.chance(REPEATED_SHARE) ? 2 : 1; copies > 0; copies--) {
      this.#agenda.after(5 + this.#random.fraction() * slowestMs, () => {
        if (this.isOpen(from, to)) deliver();
      });
    }
  }
}

const REPEATED_SHARE = 0.01;

function linkOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
