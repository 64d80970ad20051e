/** Clients that ask for forecasts without a break, and keep count of every answer. */
import { type Endpoint, requestForecasts } from '../traffic/protocols.ts';
import type { Case } from '../traffic/releases.ts';

export interface LoadResult {
  readonly answered: number;
  /** What the requests that were not answered said. */
  readonly failures: readonly string[];
  /** How often each forecast was given for the first hour asked, in users rounded to a hundredth. */
  readonly answers: ReadonlyMap<number, number>;
  /** The newest of them. */
  readonly lastAnswer: number;
  readonly seconds: number;
}

export interface LoadPlan {
  readonly clients: number;
  /** Pause of each client between two requests. */
  readonly pauseMilliseconds: number;
  /** Hours that every request asks for. */
  readonly cases: readonly Case[];
}

export class SteadyLoad {
  readonly #startedAt = performance.now();
  readonly #answers = new Map<number, number>();
  readonly #answeredAt: number[] = [];
  readonly #failures: string[] = [];
  readonly #clients: Promise<void>[];
  #lastAnswer = Number.NaN;
  #isOver = false;

  constructor(endpoint: Endpoint, { clients, pauseMilliseconds, cases }: LoadPlan) {
    const rows = cases.map(({ features }) => features);
    this.#clients = Array.from({ length: clients }, async () => {
      while (!this.#isOver) {
        try {
          const [first = Number.NaN] = await requestForecasts(endpoint, rows);
          this.#answeredAt.push(performance.now());
          this.#lastAnswer = rounded(first);
          this.#answers.set(this.#lastAnswer, (this.#answers.get(this.#lastAnswer) ?? 0) + 1);
        } catch (error) {
          const { message, cause } = error as Error;
          this.#failures.push(cause instanceof Error ? `${message}: ${cause.message}` : message);
        }
        await new Promise((later) => setTimeout(later, pauseMilliseconds));
      }
    });
  }

  get answered(): number {
    return this.#answeredAt.length;
  }

  /** Answers per second over the last seconds, or since the start when that is less. */
  requestsPerSecond(seconds: number): number {
    const since = Math.max(this.#startedAt, performance.now() - seconds * 1000);
    const recent = this.#answeredAt.filter((at) => at >= since);
    return recent.length / ((performance.now() - since) / 1000);
  }

  /** Lets every client finish the request it is in. */
  async stop(): Promise<LoadResult> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    return {
      answered: this.answered,
      failures: this.#failures,
      answers: this.#answers,
      lastAnswer: this.#lastAnswer,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }
}

/** Batches of different sizes differ in the last bits of a float. */
export function rounded(users: number): number {
  return Math.round(users * 100) / 100;
}
