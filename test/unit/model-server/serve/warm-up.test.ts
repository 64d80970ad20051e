import { describe, expect, test } from '@jest/globals';
import type { Engine, LoadedModel } from '../../../../model-server/engine/engine.ts';
import type { NamedTensors, Signature, TensorSpec } from '../../../../model-server/protocol/tensor.ts';
import { syntheticInputs, warmUp } from '../../../../model-server/serve/warm-up.ts';

const spec = (
  name: string,
  shape: TensorSpec['shape'],
  datatype: TensorSpec['datatype'] = 'FP32',
): TensorSpec => ({
  ...{ name, shape, datatype, tensorName: `${name}:0` },
});
const signature = (name: string, inputs: TensorSpec[], outputs = [spec('y', [-1, 1])]): Signature => ({
  ...{ name, inputs, outputs, methodName: 'tensorflow/serving/predict' },
});

/** Runs a function from the inputs' shapes to the output's shape, or to what goes wrong. */
function engineOf(answer: (name: string, shapes: number[][]) => number[] | Error) {
  const runs: string[] = [];
  const engine: Pick<Engine, 'run'> = {
    async run(_id, name, inputs: NamedTensors) {
      const shapes = [...inputs.values()].map(({ shape }) => [...shape]);
      runs.push(`${name} ${JSON.stringify(shapes)}`);
      const shape = answer(name, shapes);
      if (shape instanceof Error) throw shape;
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      return new Map([['y', { datatype: 'FP32', shape, data }]]);
    },
  };
  return { engine: engine as Engine, runs };
}

const modelOf = (...signatures: Signature[]): LoadedModel => ({
  ...{ id: 'm', format: 'SavedModel', loadSeconds: 0, remarks: [] },
  signatures: new Map(signatures.map((each) => [each.name, each])),
});

const rows = (_name: string, [shape]: number[][]) => [shape![0]!, 1];

test('runs each signature as often as wanted, alone and as a full batch', async () => {
  const { engine, runs } = engineOf(rows);
  const model = modelOf(
    signature('serving_default', [spec('x', [-1, 3])]),
    signature('other', [spec('x', [-1, 2])]),
  );
  const { joinable, remarks } = await warmUp(engine, model, { requests: 3, maxBatchSize: 8 });
  expect(runs).toEqual([
    ...['serving_default [[1,3]]', 'serving_default [[8,3]]', 'serving_default [[1,3]]'],
    ...['other [[1,2]]', 'other [[8,2]]', 'other [[1,2]]'],
  ]);
  expect([...joinable]).toEqual(['serving_default', 'other']);
  expect(remarks).toEqual([]);
});

test.each<[string, Signature, number, Parameters<typeof engineOf>[0]]>([
  ['batching is off', signature('serving_default', [spec('x', [-1, 3])]), 1, rows],
  ['the model takes one row only', signature('serving_default', [spec('x', [1, 3])]), 8, rows],
  ['outputs are not one row each', signature('serving_default', [spec('x', [-1, 3])]), 8, () => [1, 1]],
  [
    'every row meets every other',
    signature('serving_default', [spec('x', [-1, 3])], [spec('y', [-1, -1])]),
    8,
    (_name, [shape]) => [shape![0]!, shape![0]!],
  ],
])('requests are not joined when %s', async (_what, each, maxBatchSize, answer) => {
  const { joinable } = await warmUp(engineOf(answer).engine, modelOf(each), { requests: 1, maxBatchSize });
  expect(joinable.size).toBe(0);
});

test('a variable size is tried until the model takes it', async () => {
  const { engine, runs } = engineOf((_name, [shape]) =>
    shape![1]! < 64 ? new Error('negative dimension') : [shape![0]!, 1],
  );
  const model = modelOf(signature('serving_default', [spec('image', [-1, -1, -1, 3])]));
  await warmUp(engine, model, { requests: 1, maxBatchSize: 2 });
  expect(runs).toEqual(
    ['[[1,1,1,3]]', '[[1,16,16,3]]', '[[1,64,64,3]]', '[[2,64,64,3]]'].map(
      (shape) => `serving_default ${shape}`,
    ),
  );
});

describe('a failure', () => {
  const broken = () => new Error('bad op');
  const warm = (model: LoadedModel, answer: Parameters<typeof engineOf>[0] = broken) =>
    warmUp(engineOf(answer).engine, model, { requests: 1, maxBatchSize: 1 });

  test.each([
    ['the default signature', modelOf(signature('serving_default', [spec('x', [-1])]))],
    ['the only signature', modelOf(signature('classify', [spec('x', [-1])]))],
  ])('of %s fails the model', async (_what, model) => {
    await expect(warm(model)).rejects.toMatchObject({
      reason: 'WarmUpFailed',
      message: expect.stringMatching(/does not answer: bad op/),
    });
  });

  test.each([
    ['a signature beside it', signature('other', [spec('x', [-1])])],
    ['one that takes texts', signature('serving_default', [spec('text', [-1], 'BYTES')])],
    ['one of any rank', signature('serving_default', [spec('x', null)])],
  ])('of %s is remarked upon', async (_what, each) => {
    const model = modelOf(signature('first', []), each);
    const { remarks } = await warm(model, (name) => (name === 'first' ? [1, 1] : broken()));
    expect(remarks).toEqual([expect.stringContaining('does not answer made-up inputs: bad op')]);
  });
});

test('inputs are made up in every datatype', () => {
  const datatypes = ['BOOL', 'INT64', 'UINT8', 'FP16', 'FP64', 'BYTES'] as const;
  const inputs = syntheticInputs(
    signature(
      's',
      datatypes.map((datatype) => spec(datatype, [-1, 2], datatype)),
    ),
    3,
    1,
  );
  for (const tensor of inputs.values()) expect([tensor.shape, tensor.data.length]).toEqual([[3, 2], 6]);
});
