import type { Engine } from '../../model-server/engine/engine.ts';
import type { BenchModel } from './models.ts';
import { percentile } from './percentile.ts';
import { valuesOf } from './requests.ts';

export interface LoopResult {
  readonly rowsPerSecond: number;
  /** Milliseconds of one run. */
  readonly p50: number;
  readonly p99: number;
  readonly cpuSecondsPerRow: number;
}

export interface LoopSettings {
  /** Of one run. */
  readonly rows: number;
  /** Runs side by side. */
  readonly abreast: number;
  readonly seconds: number;
}

/**
 * What is possible at best: the model called in a loop, always with a full batch, by somebody who has nothing else to
 * do. The numbers are ready; only the array that the engine takes for itself is made anew for each run.
 */
export async function loopEngine(
  engine: Engine,
  model: BenchModel,
  { rows, abreast, seconds }: LoopSettings,
): Promise<LoopResult> {
  const numbers = valuesOf(model, rows);
  const milliseconds: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const loop = async () => {
    for (let now = performance.now(); now < endsAt; ) {
      const tensor = { datatype: 'FP32', shape: [rows, ...model.inputShape], data: numbers.slice() } as const;
      const options = { rows: 'Independent', abreast } as const;
      await engine.run(model.name, 'serving_default', new Map([['x', tensor]]), options);
      const ended = performance.now();
      milliseconds.push(ended - now);
      now = ended;
    }
  };
  await Promise.all(Array.from({ length: abreast }, loop));
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const total = milliseconds.length * rows;
  return {
    rowsPerSecond: total / elapsedSeconds,
    p50: percentile(milliseconds, 50),
    p99: percentile(milliseconds, 99),
    cpuSecondsPerRow: (user + system) / 1e6 / total,
  };
}
