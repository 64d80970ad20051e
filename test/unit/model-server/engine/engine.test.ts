import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Engine, EngineError, type LoadedModel } from '../../../../model-server/engine/engine.ts';
import { startEngine } from '../../../../model-server/engine/host.ts';
import type { NamedTensors, Tensor } from '../../../../model-server/protocol/tensor.ts';
import { bytes, floats, plain, tensor, values } from './tensors.ts';

// Reading TensorFlow and TensorFlow.js takes as long as the machine is busy.
jest.setTimeout(60_000);

const models = fileURLToPath(new URL('../../../fixtures/models/', import.meta.url));
const crashingThread = new URL('./crashing-thread.ts', import.meta.url);

let engine: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'engine-'));
  engine = startEngine();
  for (const name of ['plus', 'layers', 'graph', 'graph-dynamic'])
    await engine.load(name, join(models, name));
}, 60_000);
afterAll(async () => {
  await engine.close();
  await rm(scratch, { recursive: true });
});

const named = (inputs: Record<string, Tensor>): NamedTensors => new Map(Object.entries(inputs));
const run = async (id: string, inputs: Record<string, Tensor>, signature = 'serving_default') =>
  plain(await engine.run(id, signature, named(inputs)));

async function failure(work: Promise<unknown>): Promise<{ kind: string; message: string }> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
}

/** The engine still answers rightly. */
async function expectAlive(): Promise<void> {
  expect(await run('plus', { x: floats([2], [2, 4]) })).toEqual({ y: { shape: [2], values: [3, 4] } });
}

describe('SavedModel', () => {
  test('answers every signature, for any number of rows', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => i);
    expect(await run('plus', { x: floats([5000], rows) })).toEqual({
      y: { shape: [5000], values: rows.map((x) => x / 2 + 2) },
    });
    expect(await run('plus', { a: floats([2], [1, 2]), b: floats([2, 2], [10, 20, 30, 40]) }, 'two')).toEqual(
      {
        total: { shape: [2], values: [31, 72] },
        count: { shape: [], values: [2] },
        a_bytes: {
          shape: [2],
          values: ['1.000000', '2.000000'].map((text) => Array.from(new TextEncoder().encode(text))),
        },
      },
    );
    const image = floats([3, 8, 8, 3], new Array(3 * 8 * 8 * 3).fill(1));
    expect(await run('plus', { image }, 'convolve')).toMatchObject({ score: { shape: [3, 2] } });
  });

  test('passes every datatype through unchanged', async () => {
    const long = Array.from({ length: 1000 }, (_, i) => i % 256);
    const inputs = {
      bool: tensor('BOOL', [2], [0, 1]),
      uint8: tensor('UINT8', [1], [255]),
      uint16: tensor('UINT16', [1], [65_535]),
      uint32: tensor('UINT32', [1], [4_294_967_295]),
      uint64: tensor('UINT64', [1], [18_446_744_073_709_551_615n]),
      int8: tensor('INT8', [1], [-128]),
      int16: tensor('INT16', [1], [-32_768]),
      int32: tensor('INT32', [1], [-2_147_483_648]),
      int64: tensor('INT64', [3], [-1n, -9_223_372_036_854_775_808n, 9_007_199_254_740_993n]),
      half: tensor('FP16', [2], [0x3c00, 0xfbff]),
      bfloat16: tensor('BF16', [1], [0x3f80]),
      float: floats([3], [Number.NaN, Number.POSITIVE_INFINITY, -0]),
      double: tensor('FP64', [1], [Math.PI]),
      string: bytes([4], ['', 'grüße', [0, 255, 254], long]),
    };
    const expected = plain(named(inputs));
    const outputs = await engine.run('plus', 'echo', named(inputs));
    expect(plain(outputs)).toEqual(expected);
    for (const [name, output] of outputs) {
      expect({ name, datatype: output.datatype }).toEqual({
        name,
        datatype: inputs[name as keyof typeof inputs].datatype,
      });
    }
  });

  test('says what a model takes, with the graph’s word where the signature has none', async () => {
    const { signatures, format } = await engine.load('again', join(models, 'plus'));
    expect(format).toBe('SavedModel');
    expect([...signatures.keys()]).toEqual([
      'any_rank',
      'convolve',
      'echo',
      'look_up',
      'serving_default',
      'two',
    ]);
    expect(signatures.get('two')).toMatchObject({
      methodName: 'tensorflow/serving/predict',
      inputs: [
        { name: 'a', datatype: 'FP32', shape: [-1], tensorName: 'two_a:0' },
        { name: 'b', datatype: 'FP32', shape: [-1, 2], tensorName: 'two_b:0' },
      ],
    });
    expect(signatures.get('any_rank')?.inputs[0]).toMatchObject({ shape: null });
    await engine.unload('again');
  });

  test('an output that is the input itself is the caller’s own', async () => {
    const inputs = () => named({ anything: floats([2, 2], [1, 2, 3, 4]) });
    const first = await engine.run('plus', 'any_rank', inputs());
    (first.get('same') as Tensor & { datatype: 'FP32' }).data.fill(9);
    expect(plain(await engine.run('plus', 'any_rank', inputs()))).toEqual({
      same: { shape: [2, 2], values: [1, 2, 3, 4] },
      sum: { shape: [], values: [10] },
    });
  });

  test('what TensorFlow blames on the input is the input’s fault, and the engine lives', async () => {
    const { kind, message } = await failure(
      engine.run('plus', 'look_up', named({ index: tensor('INT32', [1], [7]) })),
    );
    expect(kind).toBe('InvalidArgument');
    expect(message).toContain('7 is not in [0, 3)');
    expect(message).not.toContain('{{node');
    await expectAlive();
  });

  test('many runs at once each get their own answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => run('plus', { x: floats([1], [i]) })),
    );
    expect(answers).toEqual(answers.map((_, i) => ({ y: { shape: [1], values: [i / 2 + 2] } })));
  });
});

describe('TensorFlow.js models, operation by operation', () => {
  let operations: Engine;
  beforeAll(async () => {
    operations = startEngine({ tfjs: 'Operations' });
    for (const name of ['layers', 'graph', 'graph-dynamic']) await operations.load(name, join(models, name));
  }, 60_000);
  afterAll(() => operations.close());
  const run = async (id: string, inputs: Record<string, Tensor>) =>
    plain(await operations.run(id, 'serving_default', named(inputs)));

  test('a layers model with two inputs, without its dropout', async () => {
    const inputs = { weather: floats([2, 2], [1, 2, 0, 0]), flow: floats([2, 3], [1, 2, 3, 0, 0, 0]) };
    expect(await run('layers', inputs)).toEqual({
      mean: { shape: [2, 1], values: [10, 1] },
      spread: { shape: [2, 1], values: [10, 1] },
    });
  });

  test('more rows than TensorFlow.js’ own batch of 32', async () => {
    const inputs = {
      weather: floats([100, 2], new Array(200).fill(1)),
      flow: floats([100, 3], new Array(300).fill(1)),
    };
    expect(await run('layers', inputs)).toMatchObject({
      mean: { shape: [100, 1], values: new Array(100).fill(6) },
    });
  });

  test('a graph model by the names of its signature', async () => {
    expect(await run('graph', { x: floats([1, 2], [1, 2]) })).toEqual({
      scores: { shape: [1, 3], values: [9.5, 12, 14.5] },
      best: { shape: [1], values: [2] },
    });
  });

  test('a graph whose output sizes depend on the data', async () => {
    expect(await run('graph-dynamic', { x: floats([4], [1, -1, 1, 1]) })).toEqual({
      where: { shape: [3, 1], values: [0, 2, 3] },
    });
  });

  test('no run leaves tensors behind, also none that fails', async () => {
    const before = operations.stats().tensorCount;
    for (let i = 0; i < 20; i++) {
      await run('graph', { x: floats([1, 2], [1, 2]) });
      await run('graph-dynamic', { x: floats([3], [1, -1, 1]) });
      await run('layers', { weather: floats([1, 2], [1, 2]), flow: floats([1, 3], [1, 2, 3]) });
      await failure(operations.run('graph', 'serving_default', named({ x: floats([1, 3], [1, 2, 3]) })));
    }
    expect(operations.stats().tensorCount).toBe(before);
  });

  test('large inputs are moved, not copied, and arrive whole', async () => {
    const rows = 4096;
    const x = floats([rows, 2], new Array(rows * 2).fill(1));
    const outputs = await operations.run('graph', 'serving_default', named({ x }));
    expect(values(outputs.get('scores')).slice(-3)).toEqual([5.5, 7, 8.5]);
    expect(x.data.length).toBe(0);
  });

  test('what it costs is known, and given back', async () => {
    const before = operations.stats();
    await operations.load('more', join(models, 'graph'));
    expect(operations.stats()).toMatchObject({
      loadedModels: before.loadedModels + 1,
      tensorCount: before.tensorCount + 3,
    });
    await run('more', { x: floats([1, 2], [1, 2]) });
    expect(operations.stats().busySeconds).toBeGreaterThan(before.busySeconds);
    await operations.unload('more');
    expect(operations.stats()).toMatchObject({
      loadedModels: before.loadedModels,
      tensorCount: before.tensorCount,
      inFlight: 0,
    });
  });
});

describe('what does not fit never reaches TensorFlow', () => {
  const wrong: [string, Record<string, Tensor>, string][] = [
    ['plus', { x: floats([2, 1], [1, 2]) }, 'inputs[0] "x": shape [2,1] found, [-1] expected'],
    ['plus', { x: floats([], [1]) }, 'inputs[0] "x": shape [] found, [-1] expected'],
    ['plus', { x: floats([0], []) }, 'inputs[0] "x": shape [0] found, which has no elements'],
    ['plus', { x: floats([3], [1, 2]) }, 'inputs[0] "x": 2 elements found, 3 expected for shape [3]'],
    ['plus', { y: floats([1], [1]) }, 'inputs: "y" found, "x" expected'],
    ['plus', { x: floats([1], [1]), z: floats([1], [1]) }, 'inputs: "x", "z" found, "x" expected'],
    ['plus', {}, 'inputs: none found, "x" expected'],
    ['plus', { x: bytes([1], ['1']) }, 'inputs[0] "x": datatype BYTES found, FP32 expected'],
    ['graph', { x: floats([1, 3], [1, 2, 3]) }, 'inputs[0] "x": shape [1,3] found, [-1,2] expected'],
    ['layers', { flow: floats([1, 3], [1, 2, 3]) }, 'inputs: "flow" found, "flow", "weather" expected'],
  ];
  test.each(wrong)('%s %#', async (id, inputs, sentence) => {
    expect(await failure(engine.run(id, 'serving_default', named(inputs)))).toMatchObject({
      kind: 'InvalidArgument',
      message: sentence,
    });
    await expectAlive();
  });

  test('a signature or model that is not there', async () => {
    expect(await failure(engine.run('plus', 'nothing', new Map()))).toMatchObject({
      kind: 'NotFound',
      message:
        'no signature "nothing"; the model has "any_rank", "convolve", "echo", "look_up", "serving_default", "two"',
    });
    expect(await failure(engine.run('nobody', 'serving_default', new Map()))).toMatchObject({
      kind: 'NotFound',
    });
    expect(await failure(engine.unload('nobody'))).toMatchObject({ kind: 'NotFound' });
  });

  test('an integer where a float is wanted is cast; one that would be rounded is refused', async () => {
    expect(await run('plus', { x: tensor('INT64', [1], [4n]) })).toEqual({ y: { shape: [1], values: [4] } });
    expect(
      await failure(engine.run('plus', 'serving_default', named({ x: tensor('INT64', [1], [16_777_217n]) }))),
    ).toMatchObject({ message: 'inputs[0] "x": element 0 is 16777217, which FP32 cannot hold' });
  });
});

describe('models that cannot be loaded', () => {
  const copyOf = async (name: string) => {
    const directory = await mkdtemp(join(scratch, 'model-'));
    await cp(join(models, name), directory, { recursive: true });
    return directory;
  };
  const refusal = async (directory: string, format?: LoadedModel['format']) => {
    const before = engine.stats();
    const { kind, message } = await failure(engine.load('broken', directory, format));
    expect(kind).toBe('InvalidArgument');
    const { loadedModels, tensorCount } = engine.stats();
    expect({ loadedModels, tensorCount }).toEqual({
      loadedModels: before.loadedModels,
      tensorCount: before.tensorCount,
    });
    return message;
  };

  test('an id that is taken', async () => {
    expect(await failure(engine.load('plus', join(models, 'plus')))).toMatchObject({
      message: 'a model "plus" is loaded already',
    });
  });

  test('a directory that is empty, or not there', async () => {
    expect(await refusal(await mkdtemp(join(scratch, 'empty-')))).toBe(
      'neither saved_model.pb nor model.json is in the directory; it is empty',
    );
    expect(await refusal(join(scratch, 'missing'))).toContain('cannot be read');
    expect(await refusal(join(scratch, 'missing'), 'SavedModel')).toContain('saved_model.pb cannot be read');
    expect(await refusal(join(scratch, 'missing'), 'TFJSGraph')).toContain(
      'TensorFlow.js cannot load the model',
    );
  });

  test('a SavedModel cut off, garbled, or without its variables', async () => {
    const cut = await copyOf('plus');
    await truncate(join(cut, 'saved_model.pb'), 20_000);
    expect(await refusal(cut)).toContain('saved_model.pb is damaged');
    await writeFile(join(cut, 'saved_model.pb'), Buffer.alloc(1000, 0xff));
    expect(await refusal(cut)).toContain('saved_model.pb is damaged');
    await writeFile(join(cut, 'saved_model.pb'), '');
    expect(await refusal(cut)).toContain('no graph tagged "serve"');
    const bare = await copyOf('plus');
    await rm(join(bare, 'variables'), { recursive: true });
    expect(await refusal(bare)).toBe('variables/variables.index is missing, and the model has variables');
    await cp(join(models, 'plus', 'variables'), join(bare, 'variables'), { recursive: true });
    await truncate(join(bare, 'variables', 'variables.data-00000-of-00001'), 100);
    expect(await refusal(bare)).toContain('TensorFlow cannot load the SavedModel');
    await expectAlive();
  });

  test('a TensorFlow.js model cut off, garbled, or without its weights', async () => {
    const cut = await copyOf('layers');
    await truncate(join(cut, 'weights.bin'), 10);
    expect(await refusal(cut)).toContain('TensorFlow.js cannot load the model');
    await rm(join(cut, 'weights.bin'));
    expect(await refusal(cut)).toContain('weights.bin');
    const garbled = await copyOf('graph');
    const json = await readFile(join(garbled, 'model.json'), 'utf8');
    await writeFile(join(garbled, 'model.json'), json.slice(0, 500));
    expect(await refusal(garbled)).toContain('model.json is not JSON');
    await writeFile(join(garbled, 'model.json'), '{"format":"onnx"}');
    expect(await refusal(garbled)).toContain('"format" is "onnx"');
    await writeFile(join(garbled, 'model.json'), json.replace('MatMul', 'NoSuchOperation'));
    const loaded = await engine.load('odd', garbled).then(
      () => failure(engine.run('odd', 'serving_default', named({ x: floats([1, 2], [1, 2]) }))),
      (error: EngineError) => error,
    );
    expect(loaded.message).toContain('NoSuchOperation');
  }, 60_000);
});

describe('an end', () => {
  test('unloading waits for what is running, and later runs find nothing', async () => {
    for (const name of ['plus', 'graph']) {
      const id = `${name} to go`;
      await engine.load(id, join(models, name));
      const inputs = name === 'plus' ? { x: floats([1], [1]) } : { x: floats([1, 2], [1, 2]) };
      const runs = Array.from({ length: 20 }, () => run(id, inputs));
      const gone = engine.unload(id);
      expect(await failure(engine.run(id, 'serving_default', named(inputs)))).toMatchObject({
        kind: 'NotFound',
      });
      await gone;
      expect(await Promise.all(runs)).toHaveLength(20);
    }
  });

  test('closing answers what is in flight; then everything is Unavailable', async () => {
    const own = startEngine();
    await own.load('graph', join(models, 'graph'));
    const last = own.run('graph', 'serving_default', named({ x: floats([1, 2], [1, 2]) }));
    await own.close();
    expect(plain(await last)).toMatchObject({ best: { values: [2] } });
    expect(own.stats()).toMatchObject({ loadedModels: 0, tensorCount: 0, inFlight: 0 });
    for (const work of [
      own.run('graph', 'serving_default', new Map()),
      own.load('graph', models),
      own.close(),
    ]) {
      const outcome = await work.then(
        () => 'closed',
        (error: EngineError) => error.kind,
      );
      expect(['Unavailable', 'closed']).toContain(outcome);
    }
  });

  test('a thread that dies takes its runs with it, and says so once', async () => {
    const own = startEngine({ tfjs: 'Operations', tfjsThread: crashingThread });
    await own.load('doomed', join(models, 'graph'));
    const calls = [1, 2, 3].map(() =>
      failure(own.run('doomed', 'serving_default', named({ x: floats([1], [1]) }))),
    );
    for (const { kind, message } of await Promise.all(calls)) {
      expect(kind).toBe('Unavailable');
      expect(message).toContain('thread died: out of luck');
    }
    expect((await own.died).message).toContain('out of luck');
    expect(await failure(own.load('next', join(models, 'plus')))).toMatchObject({ kind: 'Unavailable' });
    await own.close();
  });

  test('a thread that dies while it loads harms nothing else', async () => {
    const own = startEngine({
      tfjs: 'Operations',
      tfjsThread: new URL('./no-such-thread.ts', import.meta.url),
    });
    await own.load('plus', join(models, 'plus'));
    expect(await failure(own.load('never', join(models, 'graph')))).toMatchObject({ kind: 'Internal' });
    expect(plain(await own.run('plus', 'serving_default', named({ x: floats([1], [2]) })))).toMatchObject({
      y: { values: [3] },
    });
    await own.close();
  });
});
