/** Statistics of models, as Triton's statistics extension writes them. Pure. */

export interface StatisticDuration {
  readonly count: number;
  readonly milliseconds: number;
}

/** What was counted of one version of a model. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Epoch milliseconds; 0: none yet. */
  readonly lastInference: number;
  readonly inferences: number;
  readonly executions: number;
  readonly success: StatisticDuration;
  readonly fail: StatisticDuration;
  readonly queue: StatisticDuration;
  readonly computeInput: StatisticDuration;
  readonly computeInfer: StatisticDuration;
  readonly computeOutput: StatisticDuration;
  readonly batches: ReadonlyMap<number, StatisticDuration>;
  /** Memory that it takes, as far as that is known. */
  readonly residentBytes: number;
}

const nanoseconds = (milliseconds: number) => Math.round(milliseconds * 1e6);
const none = { count: 0, milliseconds: 0 };

/** `GET /v2/models/{name}/stats`, one entry for each version. */
export function statisticsDocument(models: readonly ModelStatistics[]): object {
  const duration = ({ count, milliseconds }: StatisticDuration) => ({ count, ns: nanoseconds(milliseconds) });
  return {
    model_stats: models.map((model) => ({
      name: model.name,
      version: model.version,
      last_inference: model.lastInference,
      inference_count: model.inferences,
      execution_count: model.executions,
      inference_stats: {
        success: duration(model.success),
        fail: duration(model.fail),
        queue: duration(model.queue),
        compute_input: duration(model.computeInput),
        compute_infer: duration(model.computeInfer),
        compute_output: duration(model.computeOutput),
        cache_hit: duration(none),
        cache_miss: duration(none),
      },
      response_stats: {},
      batch_stats: bySize(model).map(([size, run]) => ({
        batch_size: size,
        compute_input: duration(none),
        compute_infer: duration(run),
        compute_output: duration(none),
      })),
      memory_usage: [{ type: 'CPU', id: 0, byte_size: model.residentBytes }],
    })),
  };
}

/** The same as a gRPC message, `ModelStatisticsResponse`. */
export function statisticsMessage(models: readonly ModelStatistics[]) {
  const duration = ({ count, milliseconds }: StatisticDuration) => ({
    count: BigInt(count),
    ns: BigInt(nanoseconds(milliseconds)),
  });
  return {
    modelStats: models.map((model) => ({
      name: model.name,
      version: model.version,
      lastInference: BigInt(Math.round(model.lastInference)),
      inferenceCount: BigInt(model.inferences),
      executionCount: BigInt(model.executions),
      inferenceStats: {
        success: duration(model.success),
        fail: duration(model.fail),
        queue: duration(model.queue),
        computeInput: duration(model.computeInput),
        computeInfer: duration(model.computeInfer),
        computeOutput: duration(model.computeOutput),
        cacheHit: duration(none),
        cacheMiss: duration(none),
      },
      batchStats: bySize(model).map(([size, run]) => ({
        batchSize: BigInt(size),
        computeInput: duration(none),
        computeInfer: duration(run),
        computeOutput: duration(none),
      })),
    })),
  };
}

const bySize = ({ batches }: ModelStatistics) => [...batches].sort(([one], [other]) => one - other);
