/** The add-on by itself: whatever reaches it unchecked is refused, and never aborts the process. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

type Addon = Record<
  'load' | 'importGraph' | 'prepare' | 'describe' | 'run' | 'runNow' | 'close',
  (...args: unknown[]) => unknown
>;
const require = createRequire(import.meta.url);
const folder = dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
const addon = require(join(folder, 'lib', 'napi-v8', 'aicity_session.node')) as Addon;
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
    expect(await failure(() => addon.run(convolve, ...args))).toContain(sentence);
    expect(await failure(() => addon.runNow(convolve, ...args))).toContain(sentence);
  });

  test('texts that do not fit', async () => {
    const echo = addon.prepare(session, ['echo_string:0'], ['echo_string:0']);
    expect(await failure(() => addon.run(echo, [[2]], [[new Uint8Array(1)]]))).toContain(
      'the number of strings does not match the shape',
    );
    expect(await failure(() => addon.run(echo, [[1]], [['text']]))).toContain('a typed array was expected');
  });

  test('what fits is answered', async () => {
    const elsewhere = (await addon.run(convolve, [[1, 8, 8, 3]], [image])) as object;
    expect(elsewhere).toMatchObject({ milliseconds: expect.any(Number), outputs: [{ shape: [1, 2] }] });
    const { outputs } = elsewhere as { outputs: unknown };
    expect(addon.runNow(convolve, [[1, 8, 8, 3]], [image])).toMatchObject({ outputs });
  });
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
