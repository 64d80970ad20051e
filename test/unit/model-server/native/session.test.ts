/** The add-on by itself: whatever reaches it unchecked is refused, and never aborts the process. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addonPath, loadAddon } from '../../../../model-server/engine/native-package.ts';

interface Answer {
  outputs: [{ data: ArrayBuffer }];
}
/** The ways to run. */
type Runs = 'run' | 'runWide' | 'runNow';
const runs: readonly Runs[] = ['run', 'runWide', 'runNow'];
type Addon = Record<
  'load' | 'importGraph' | 'prepare' | 'describe' | 'setThreads' | 'gpus' | Runs | 'close',
  (...args: unknown[]) => unknown
>;
const path = addonPath('aicity_session');
const addon = loadAddon<Addon>('aicity_session');
const model = fileURLToPath(new URL('../../../fixtures/models/plus', import.meta.url));

let session: unknown;
let convolve: unknown;
beforeAll(async () => {
  session = await addon.load(model, ['serve'], new Uint8Array(0));
  convolve = addon.prepare(session, ['convolve_image:0'], ['StatefulPartitionedCall:0']);
});
afterAll(async () => {
  await addon.close(session);
});

/** What a call throws or rejects with, as `CODE: message`. */
async function failure(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'no failure';
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
}

const image = new Float32Array(8 * 8 * 3);

describe('run', () => {
  test.each<[string, unknown[], string]>([
    ['rank', [[[8, 8, 3]], [image]], '"convolve_image:0" has rank 4, not 3'],
    ['size', [[[1, 8, 4, 6]], [image]], '"convolve_image:0" has size 8 in dimension 2, not 4'],
    ['negative size', [[[-1, 8, 8, 3]], [image]], 'a dimension that is not a size'],
    ['size that is no number', [[['1', 8, 8, 3]], [image]], 'a dimension that is not a size'],
    ['shape beyond all memory', [[[2 ** 62, 8, 8, 3]], [image]], 'the shape is too large'],
    ['too few bytes', [[[2, 8, 8, 3]], [image]], 'holds 768 bytes, not the 1536 that its shape needs'],
    ['another width', [[[1, 8, 8, 3]], [new Float64Array(192)]], 'holds 1536 bytes, not the 768'],
    ['no typed array', [[[1, 8, 8, 3]], [[1, 2, 3]]], 'a typed array was expected'],
    ['no shape', [[null], [image]], 'an array was expected'],
    ['no inputs', [[], []], '1 inputs were expected'],
    ['nothing', [], '3 arguments were expected'],
  ])('a wrong %s', async (_, args, sentence) => {
    for (const run of runs) expect(await failure(() => addon[run](convolve, ...args))).toContain(sentence);
  });

  test('texts that do not fit', async () => {
    const echo = addon.prepare(session, ['echo_string:0'], ['echo_string:0']);
    expect(await failure(() => addon.run(echo, [[2]], [[new Uint8Array(1)]]))).toContain(
      'the number of strings does not match the shape',
    );
    expect(await failure(() => addon.run(echo, [[1]], [['text']]))).toContain('a typed array was expected');
  });

  test.each(runs)('what fits is answered by %s', async (run) => {
    expect(await addon[run](convolve, [[1, 8, 8, 3]], [image])).toEqual({
      ...{ milliseconds: expect.any(Number), waitedMilliseconds: expect.any(Number) },
      outputs: [{ shape: [1, 2], data: expect.any(ArrayBuffer) }],
    });
  });

  test('the answer is the same whichever threads compute it', async () => {
    const rows = new Float32Array(64 * image.length).map((_, i) => Math.sin(i));
    const answers = await Promise.all(
      runs.map(async (run) => {
        const { outputs } = (await addon[run](convolve, [[64, 8, 8, 3]], [rows])) as Answer;
        return [...new Float32Array(outputs[0].data)];
      }),
    );
    const [first] = answers as [number[], ...number[][]];
    expect(first).toHaveLength(128);
    for (const [i, value] of first.entries()) {
      for (const answer of answers) expect(answer[i]).toBeCloseTo(value, 5);
    }
  });

  test.each(runs)('what TensorFlow refuses is told by %s', async (run) => {
    const lookUp = addon.prepare(session, ['look_up_index:0'], ['StatefulPartitionedCall_1:0']);
    expect(await failure(() => addon[run](lookUp, [[1]], [Int32Array.of(99)]))).toMatch(
      /^INVALID_ARGUMENT: .*99 is not in \[0, 3\)/,
    );
  });

  test('many at once, on few threads', async () => {
    const lookUp = addon.prepare(session, ['look_up_index:0'], ['StatefulPartitionedCall_1:0']);
    const rows = [
      [0, 1],
      [10, 11],
      [20, 21],
    ];
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const run = runs[i % 2] as Runs;
        const { outputs } = (await addon[run](lookUp, [[1]], [Int32Array.of(i % 3)])) as Answer;
        return [...new Float32Array(outputs[0].data)];
      }),
    );
    expect(answers).toEqual(answers.map((_, i) => rows[i % 3]));
  });

  test('a process that ends meanwhile waits for it, and ends as it wanted to', async () => {
    const program = `
      const addon = require(${JSON.stringify(path)});
      addon.load(${JSON.stringify(model)}, ['serve'], new Uint8Array(0)).then((session) => {
        const convolve = addon.prepare(session, ['convolve_image:0'], ['StatefulPartitionedCall:0']);
        for (let i = 0; i < 10; i++) addon.run(convolve, [[2000, 8, 8, 3]], [new Float32Array(2000 * 192)]);
        HOW;
      });`;
    for (const [how, status] of [
      ['process.exit(7)', 7],
      ['process.exitCode = 8', 8],
    ] as const) {
      const { status: ended, signal } = spawnSync(process.execPath, ['-e', program.replace('HOW', how)]);
      expect({ ended, signal }).toEqual({ ended: status, signal: null });
    }
  });
});

test('a number of threads that is none', async () => {
  for (const none of [0, -1, 'two', undefined])
    expect(await failure(() => addon.setThreads(none))).toContain('a number of threads was expected');
});

test('GPUs are counted', () => {
  expect(addon.gpus(new Uint8Array(0))).toBeGreaterThanOrEqual(0);
  expect(() => addon.gpus(Uint8Array.of(255))).toThrow('Unparseable');
});

test('names that the graph does not have', async () => {
  expect(await failure(() => addon.prepare(session, ['nothing:0'], []))).toContain('no operation "nothing"');
  expect(await failure(() => addon.prepare(session, ['convolve_image:9'], []))).toContain('has no output 9');
  expect(await failure(() => addon.prepare(session, ['convolve_image:-1'], []))).toContain(
    'has no output -1',
  );
});

test('a handle that is none, or of the other kind', async () => {
  for (const none of [{}, session]) {
    expect(await failure(() => addon.run(none, [], []))).toContain('the handle of a callable was expected');
    expect(await failure(() => addon.describe(none))).toContain('the handle of a callable was expected');
  }
  for (const none of [undefined, convolve]) {
    expect(await failure(() => addon.prepare(none, [], []))).toContain(
      'the handle of a session was expected',
    );
    expect(await failure(() => addon.close(none))).toContain('the handle of a session was expected');
  }
});

test('a configuration that is none, a directory that is none', async () => {
  expect(await failure(() => addon.load(model, ['serve'], new Uint8Array([255])))).toContain(
    'INVALID_ARGUMENT',
  );
  expect(await failure(() => addon.load('/nowhere', ['serve'], new Uint8Array(0)))).toContain('NOT_FOUND');
  expect(await failure(() => addon.load(model, ['train'], new Uint8Array(0)))).toContain('NOT_FOUND');
});

test('a graph that is none', async () => {
  for (const graph of [[Uint8Array.of(255)], [Uint8Array.of(10, 3, 10, 1)]])
    expect(await failure(() => addon.importGraph(graph, new Uint8Array(0)))).toContain('INVALID_ARGUMENT');
  expect(await failure(() => addon.importGraph([1], new Uint8Array(0)))).toContain('a typed array was');
  // A node without an operation.
  const node = Uint8Array.of(10, 3, 10, 1, 97);
  expect(await failure(() => addon.importGraph([node], new Uint8Array(0)))).not.toBe('no failure');
});

test('after closing nothing runs, and closing again is harmless', async () => {
  const other = await addon.load(model, ['serve'], new Uint8Array(0));
  const callable = addon.prepare(other, ['convolve_image:0'], ['StatefulPartitionedCall:0']);
  const running = addon.run(callable, [[1, 8, 8, 3]], [image]);
  await addon.close(other);
  await addon.close(other);
  expect(await running).toMatchObject({ outputs: [{ shape: [1, 2] }] });
  expect(await failure(() => addon.run(callable, [[1, 8, 8, 3]], [image]))).toContain(
    'the session is closed',
  );
  expect(await failure(() => addon.prepare(other, [], []))).toContain('the session is closed');
});
