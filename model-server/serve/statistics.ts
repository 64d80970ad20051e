/** What Triton calls the statistics of a model: counts and summed times since it was loaded. */
import type { ModelStatistics } from '../protocol/statistics.ts';
import type { ModelCatalog } from './model-catalog.ts';
import { versionOf, type Which } from './named-model.ts';

/** One inference that was answered; milliseconds. */
export interface Inferred {
  readonly rows: number;
  /** From when it was received whole to its answer. */
  readonly total: number;
  /** Waiting for the engine. */
  readonly queue: number;
  /** Reading and checking the request. */
  readonly input: number;
  /** The run that it was part of. */
  readonly infer: number;
  /** Writing the answer. */
  readonly output: number;
}

export interface Duration {
  count: number;
  milliseconds: number;
}

export interface ModelCounters {
  /** Rows that were inferred. */
  inferences: number;
  /** Runs of the engine. */
  executions: number;
  readonly success: Duration;
  readonly fail: Duration;
  readonly queue: Duration;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
  /** Runs by their number of rows. */
  readonly batches: Map<number, Duration>;
}

/** More sizes than any model is run with; a client that sends every size there is must not fill the memory. */
const MOST_BATCH_SIZES = 256;

export class Statistics {
  readonly #models = new WeakMap<object, ModelCounters>();

  /** @param model the hosted model; its counters go with it. */
  of(model: object): ModelCounters {
    let counters = this.#models.get(model);
    if (!counters) {
      const none = () => ({ count: 0, milliseconds: 0 });
      counters = {
        ...{ inferences: 0, executions: 0, success: none(), fail: none(), queue: none() },
        ...{ computeInput: none(), computeInfer: none(), computeOutput: none(), batches: new Map() },
      };
      this.#models.set(model, counters);
    }
    return counters;
  }

  inferred(model: object, { rows, total, queue, input, infer, output }: Inferred): void {
    const counters = this.of(model);
    counters.inferences += rows;
    add(counters.success, total);
    add(counters.queue, queue);
    add(counters.computeInput, input);
    add(counters.computeInfer, infer);
    add(counters.computeOutput, output);
  }

  failed(model: object, milliseconds: number): void {
    add(this.of(model).fail, milliseconds);
  }

  ran(model: object, rows: number, milliseconds: number): void {
    const { batches } = this.of(model);
    this.of(model).executions++;
    let batch = batches.get(rows);
    if (!batch) {
      if (batches.size >= MOST_BATCH_SIZES) return;
      batch = { count: 0, milliseconds: 0 };
      batches.set(rows, batch);
    }
    add(batch, milliseconds);
  }
}

/**
 * Of all versions that are served, of those of one name, or of the one that is meant.
 * @throws ProtocolError NotFound, or Unavailable for one name that is not served.
 */
export function statisticsOf(
  models: Pick<ModelCatalog, 'entries' | 'find'>,
  statistics: Statistics,
  name?: string,
  which: Which = {},
): ModelStatistics[] {
  const isOne = which.version !== undefined || which.label !== undefined;
  const hosted =
    name !== undefined && isOne
      ? [models.find(name, which)]
      : models
          .entries(name)
          .filter(({ state }) => state === 'READY')
          .map((entry) => models.find(entry.name, { version: entry.version }));
  if (hosted.length === 0 && name !== undefined) hosted.push(models.find(name));
  return hosted.map((model) => ({
    ...statistics.of(model),
    name: model.name,
    version: versionOf(model),
    lastInference: model.lastInferenceAt,
    residentBytes: model.residentBytes,
  }));
}

function add(duration: Duration, milliseconds: number): void {
  duration.count++;
  duration.milliseconds += milliseconds;
}
