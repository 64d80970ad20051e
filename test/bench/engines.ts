/** Bare engines with different settings, called in a loop by turns with the same models. */
import type { Engine } from '../../model-server/engine/engine.ts';
import { type EngineOptions, startEngine } from '../../model-server/engine/host.ts';
import type { Tensor } from '../../model-server/protocol/tensor.ts';
import type { Row } from './result.ts';
import { median, type Settings } from './side-by-side.ts';

export interface LoopModel {
  /** Of its directory, too. */
  readonly name: string;
  readonly what: string;
  readonly input: string;
  tensor(rows: number): Tensor;
}

/**
 * @param folder of the models' directories.
 * @param prefix of the rows' names.
 * @param others what differs from the server's own settings, by the name that stands above the figures.
 */
export async function compareEngines(
  { folder, models, prefix }: { folder: string; models: readonly LoopModel[]; prefix: string },
  others: Readonly<Record<string, EngineOptions>>,
  settings: Settings,
): Promise<Row[]> {
  const engines = ['ours', ...Object.keys(others)].map((name) => [name, startEngine(others[name])] as const);
  try {
    const rows: Row[] = [];
    for (const model of models) {
      for (const [, engine] of engines) await engine.load(model.name, `${folder}/${model.name}`);
      for (const size of [1, 8, 32]) {
        const { ours, ...peers } = await byTurns(engines, model, size, settings);
        rows.push({
          ...{ what: `${prefix}${model.what}, ${size} in a run`, unit: 'runs/s', better: 'higher' },
          ...{ ours: ours as number, peers },
        });
      }
    }
    return rows;
  } finally {
    for (const [, engine] of engines) await engine.close();
  }
}

/** Runs per second of each, the medians of the rounds. */
async function byTurns(
  engines: readonly (readonly [string, Engine])[],
  model: LoopModel,
  size: number,
  { seconds, rounds }: Settings,
): Promise<Record<string, number>> {
  const rates = new Map<string, number[]>(engines.map(([name]) => [name, []]));
  // The first round is for the warmth alone.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, engine] of engines) {
      const rate = await runsPerSecond(engine, model, size, seconds / 2);
      if (round > 0) rates.get(name)?.push(rate);
    }
  }
  return Object.fromEntries([...rates].map(([name, its]) => [name, median(its)]));
}

async function runsPerSecond(
  engine: Engine,
  { name, input, tensor }: LoopModel,
  rows: number,
  seconds: number,
) {
  const { data, ...rest } = tensor(rows);
  let runs = 0;
  const startedAt = performance.now();
  for (; performance.now() < startedAt + seconds * 1000; runs++) {
    const copy = { ...rest, data: data.slice() } as Tensor;
    await engine.run(name, 'serving_default', new Map([[input, copy]]), { rows: 'Independent' });
  }
  return (runs / (performance.now() - startedAt)) * 1000;
}
