import type { Engine } from '../../model-server/engine/engine.ts';
import type { BenchModel } from './models.ts';
import { percentile } from './percentile.ts';

export interface LoopResult {
  rowsPerSecond: number;
  /** Milliseconds of one run. */
  p99: number;
}

/**
 * What is possible at best: the model called in a loop, always with a full batch, by somebody who has nothing else to
 * do. The numbers are ready; only the array that the engine takes for itself is made anew for each run.
 */
export async function loopEngine(
  engine: Engine,
  { name, inputShape }: BenchModel,
  rows: number,
  seconds: number,
): Promise<LoopResult> {
  const size = rows * inputShape.reduce((product, each) => product * each, 1);
  const numbers = Float32Array.from({ length: size }, (_, index) => (index % 97) / 97);
  const milliseconds: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  for (let now = startedAt; now < endsAt; ) {
    const tensor = { datatype: 'FP32', shape: [rows, ...inputShape], data: numbers.slice() } as const;
    await engine.run(name, 'serving_default', new Map([['x', tensor]]));
    const ended = performance.now();
    milliseconds.push(ended - now);
    now = ended;
  }
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  return { rowsPerSecond: (milliseconds.length * rows) / elapsedSeconds, p99: percentile(milliseconds, 99) };
}
