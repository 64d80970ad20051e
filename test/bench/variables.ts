/**
 * What is won by making variables constants: models as Keras exports them, called in a loop by turns with constants, as
 * the server does it, and with their variables.
 */
import { fileURLToPath } from 'node:url';
import type { Engine } from '../../model-server/engine/engine.ts';
import { startEngine } from '../../model-server/engine/host.ts';
import type { Tensor } from '../../model-server/protocol/tensor.ts';
import { VARIABLES } from './chapters.ts';
import type { Row } from './result.ts';
import { median, type Settings } from './side-by-side.ts';

const folder = fileURLToPath(new URL('../fixtures/models/variables/', import.meta.url));

interface Export {
  readonly name: string;
  readonly what: string;
  readonly input: string;
  tensor(rows: number): Tensor;
}

const exported: readonly Export[] = [
  {
    ...{ name: 'images', what: 'three separable convolutions with normalisation, 16×16×3', input: 'image' },
    tensor: (rows) => ({
      ...{ datatype: 'FP32', shape: [rows, 16, 16, 3] },
      data: Float32Array.from({ length: rows * 768 }, (_, at) => Math.sin(at)),
    }),
  },
  {
    ...{ name: 'sequences', what: 'embedding and LSTM, 6 steps', input: 'words' },
    tensor: (rows) => ({
      ...{ datatype: 'INT32', shape: [rows, 6] },
      data: Int32Array.from({ length: rows * 6 }, (_, at) => at % 20),
    }),
  },
];

export async function measureVariables({ seconds, rounds }: Settings): Promise<Row[]> {
  const constants = startEngine();
  const kept = startEngine({ variables: 'Kept' });
  try {
    const rows: Row[] = [];
    for (const each of exported) {
      for (const engine of [constants, kept]) await engine.load(each.name, folder + each.name);
      for (const size of [1, 8, 32]) {
        const rates = new Map<Engine, number[]>([constants, kept].map((engine) => [engine, []]));
        // The first round is for the warmth alone.
        for (let round = 0; round <= rounds; round++) {
          for (const [engine, its] of rates) {
            const rate = await runsPerSecond(engine, each, size, seconds / 2);
            if (round > 0) its.push(rate);
          }
        }
        const [ours, theirs] = [...rates.values()].map(median) as [number, number];
        rows.push({
          ...{ what: `${VARIABLES}${each.what}, ${size} in a run`, unit: 'runs/s', better: 'higher' },
          ...{ ours, peers: { 'with variables': theirs } },
        });
      }
    }
    return rows;
  } finally {
    await Promise.all([constants.close(), kept.close()]);
  }
}

async function runsPerSecond(engine: Engine, { name, input, tensor }: Export, rows: number, seconds: number) {
  const { data, ...rest } = tensor(rows);
  let runs = 0;
  const startedAt = performance.now();
  for (; performance.now() < startedAt + seconds * 1000; runs++) {
    const copy = { ...rest, data: data.slice() } as Tensor;
    await engine.run(name, 'serving_default', new Map([[input, copy]]));
  }
  return (runs / (performance.now() - startedAt)) * 1000;
}
