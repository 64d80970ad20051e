/** Many schedules over all cores of the machine; a seed tells the same story in any of them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FaultClass } from './faults.ts';
import type { SimulationResult } from './simulation.ts';
import type { Batch } from './worker.ts';

export interface SchedulesOptions {
  readonly first: number;
  readonly schedules: number;
  readonly of: FaultClass;
  readonly workers: number;
  /** Told of each schedule as soon as it is known how it went, in no particular order. */
  readonly onResult: (result: SimulationResult) => void;
}

export interface SchedulesResult {
  readonly schedules: number;
  /** Sorted by seed. */
  readonly failures: readonly { readonly seed: number; readonly failure: string }[];
  readonly looks: number;
  readonly reports: number;
  readonly failovers: number;
  /** How often each kind of fault was drawn. */
  readonly faults: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** So many at a time keep a thread busy for some seconds. */
const BATCH = 10;
/** What a look leaves behind is garbage at the next one. */
const YOUNG_MEGABYTES = 64;

export async function runSchedules(options: SchedulesOptions): Promise<SchedulesResult> {
  const { first, schedules, of, workers, onResult } = options;
  const began = performance.now();
  const tally = new Tally();
  const batches = batchesOf(first, schedules, of); // shared: every thread takes the next one
  const play = async (): Promise<void> => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    try {
      for (const batch of batches) {
        worker.postMessage(batch);
        const [results] = (await once(worker, 'message')) as [SimulationResult[]];
        for (const result of results) {
          tally.add(result);
          onResult(result);
        }
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, Math.ceil(schedules / BATCH)) }, play));
  return { schedules, ...tally.sums(), seconds: (performance.now() - began) / 1000 };
}

function* batchesOf(first: number, schedules: number, of: FaultClass): Generator<Batch, void> {
  const end = first + schedules;
  for (let seed = first; seed < end; seed += BATCH) {
    yield { first: seed, count: Math.min(BATCH, end - seed), of };
  }
}

export class Tally {
  readonly #failures: { seed: number; failure: string }[] = [];
  readonly #faults: Record<string, number> = {};
  #looks = 0;
  #reports = 0;
  #failovers = 0;

  add({ seed, looks, reports, failovers, faults, failure }: SimulationResult): void {
    this.#looks += looks;
    this.#reports += reports;
    this.#failovers += failovers;
    for (const kind of faults) this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    if (failure !== undefined) this.#failures.push({ seed, failure });
  }

  sums(): Omit<SchedulesResult, 'schedules' | 'seconds'> {
    return {
      failures: this.#failures.sort((a, b) => a.seed - b.seed),
      looks: this.#looks,
      reports: this.#reports,
      failovers: this.#failovers,
      faults: this.#faults,
    };
  }
}
