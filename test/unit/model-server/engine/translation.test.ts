/** A TensorFlow.js model answers the same as a session and operation by operation. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Engine, LoadedModel } from '../../../../model-server/engine/engine.ts';
import { startEngine } from '../../../../model-server/engine/host.ts';
import { elementCount, type NamedTensors, type Tensor } from '../../../../model-server/protocol/tensor.ts';
import { graphModels, untranslatedGraphs, writeGraphModel } from './tfjs-graphs.ts';
import { layersModels, untranslatedModels, writeLayersModel } from './tfjs-zoo.ts';

// Each model is loaded twice, once in a thread that reads TensorFlow.js.
jest.setTimeout(60_000);

const root = fileURLToPath(new URL('../../../../', import.meta.url));

let sessions: Engine;
let operations: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'translation-'));
  sessions = startEngine();
  operations = startEngine({ tfjs: 'Operations' });
});
afterAll(async () => {
  await Promise.all([sessions.close(), operations.close()]);
  await rm(scratch, { recursive: true });
});

/** Values of all signs; sizes that only a request tells become `rows` and 13. */
function inputsOf({ signatures }: LoadedModel, rows: number): NamedTensors {
  const { inputs } = signatures.get('serving_default')!;
  return new Map(
    inputs.map(({ name, datatype, shape }): [string, Tensor] => {
      const sizes = (shape ?? [-1]).map((size, axis) => (size === -1 ? (axis === 0 ? rows : 13) : size));
      const count = elementCount(sizes);
      const values = Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + 1) * 3);
      if (datatype === 'FP32') return [name, { datatype, shape: sizes, data: Float32Array.from(values) }];
      return [name, { datatype: 'INT32', shape: sizes, data: Int32Array.from(values) }];
    }),
  );
}

async function expectSameAnswers(directory: string): Promise<void> {
  const loaded = await sessions.load(directory, directory);
  expect(loaded.remarks).toEqual([]);
  const reference = await operations.load(directory, directory);
  const shapes = (model: LoadedModel) => {
    const { inputs, outputs } = model.signatures.get('serving_default')!;
    return [inputs.map(({ name, shape }) => [name, shape]), outputs.map(({ name }) => name)];
  };
  expect(shapes(loaded)).toEqual(shapes(reference));
  for (const rows of [1, 3]) {
    const answer = await sessions.run(directory, 'serving_default', inputsOf(loaded, rows));
    const expected = await operations.run(directory, 'serving_default', inputsOf(reference, rows));
    expect([...answer.keys()]).toEqual([...expected.keys()]);
    for (const [name, tensor] of expected) {
      expect(answer.get(name)!.shape).toEqual(tensor.shape);
      const values = Array.from(answer.get(name)!.data, Number);
      for (const [i, value] of Array.from(tensor.data, Number).entries()) {
        expect(Math.abs(values[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
      }
    }
  }
  await Promise.all([sessions.unload(directory), operations.unload(directory)]);
}

describe('layers models', () => {
  test.each(Object.entries(layersModels))('%s', async (name, build) => {
    const directory = join(scratch, name);
    await writeLayersModel(directory, build());
    await expectSameAnswers(directory);
  });

  test.each(['examples/traffic/models/1', 'examples/traffic/models/2', 'test/fixtures/models/layers'])(
    '%s',
    (directory) => expectSameAnswers(join(root, directory)),
  );

  test.each(Object.entries(untranslatedModels))(
    'with %s TensorFlow.js answers itself, and the reason is told',
    async (name, [build, reason]) => {
      const directory = join(scratch, name);
      await writeLayersModel(directory, build());
      const model = await sessions.load(directory, directory);
      expect(model.remarks).toEqual([expect.stringContaining(reason)]);
      const { outputs } = model.signatures.get('serving_default')!;
      const answer = await sessions.run(directory, 'serving_default', inputsOf(model, 2));
      expect(answer.get(outputs[0]!.name)!.shape[0]).toBe(2);
      await sessions.unload(directory);
    },
  );
});

describe('graph models', () => {
  test.each(Object.entries(graphModels))('%s', async (name, graph) => {
    const directory = join(scratch, name);
    await writeGraphModel(directory, graph);
    await expectSameAnswers(directory);
  });

  test.each(['graph', 'graph-dynamic'])('test/fixtures/models/%s', (name) =>
    expectSameAnswers(join(root, 'test/fixtures/models', name)),
  );

  test.each(Object.entries(untranslatedGraphs))(
    'with %s TensorFlow.js answers itself, and the reason is told',
    async (name, [graph, reason]) => {
      const directory = join(scratch, name);
      await writeGraphModel(directory, graph);
      const { remarks } = await sessions.load(directory, directory);
      expect(remarks).toEqual([expect.stringContaining(reason)]);
      await sessions.unload(directory);
    },
  );
});
