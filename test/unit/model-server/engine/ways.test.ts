/** Whichever way a run uses the cores, it answers the same. */
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Engine } from '../../../../model-server/engine/engine.ts';
import { startEngine } from '../../../../model-server/engine/host.ts';
import type { RunWay } from '../../../../model-server/engine/run-ways.ts';
import type { NamedTensors, Tensor } from '../../../../model-server/protocol/tensor.ts';
import { bytes, floats, plain, tensor } from './tensors.ts';

const plus = fileURLToPath(new URL('../../../fixtures/models/plus', import.meta.url));
const ways: readonly (RunWay | 'Best')[] = ['OneThread', 'Here', 'Divided', 'Wide', 'Best'];

const engines = new Map<RunWay | 'Best', Engine>();
beforeAll(async () => {
  for (const way of ways) {
    const engine = startEngine({ way });
    engines.set(way, engine);
    await engine.load('plus', plus);
  }
});
afterAll(async () => {
  for (const engine of engines.values()) await engine.close();
});

const named = (inputs: Record<string, Tensor>): NamedTensors => new Map(Object.entries(inputs));
const run = (way: RunWay | 'Best', signature: string, inputs: NamedTensors) =>
  (engines.get(way) as Engine).run('plus', signature, inputs, { rows: 'Independent' });

const rowsOf = (rows: number, width: number) => Array.from({ length: rows * width }, (_, i) => Math.sin(i));

describe.each(ways)('%s', (way) => {
  test.each([1, 2, 3, 7, 64])('%i images', async (rows) => {
    const images = () => named({ image: floats([rows, 8, 8, 3], rowsOf(rows, 192)) });
    const scores = (outputs: NamedTensors) => [
      ...(outputs.get('score') as Tensor & { data: Float32Array }).data,
    ];
    const expected = scores(await run('OneThread', 'convolve', images()));
    const outputs = await run(way, 'convolve', images());
    expect(outputs.get('score')?.shape).toEqual([rows, 2]);
    for (const [i, score] of scores(outputs).entries()) expect(score).toBeCloseTo(expected[i] as number, 5);
  });

  test('rows keep their order, in every datatype', async () => {
    const inputs = () =>
      named({
        bool: tensor('BOOL', [3], [0, 1, 0]),
        uint8: tensor('UINT8', [3], [1, 2, 3]),
        uint16: tensor('UINT16', [3], [1, 2, 3]),
        uint32: tensor('UINT32', [3], [1, 2, 3]),
        uint64: tensor('UINT64', [3], [1n, 2n, 3n]),
        int8: tensor('INT8', [3], [-1, 2, 3]),
        int16: tensor('INT16', [3], [-1, 2, 3]),
        int32: tensor('INT32', [3], [-1, 2, 3]),
        int64: tensor('INT64', [3], [-1n, 2n, 3n]),
        half: tensor('FP16', [3], [0x3c00, 0xfbff, 0]),
        bfloat16: tensor('BF16', [3], [0x3f80, 0, 1]),
        float: floats([3], [1, 2, 3]),
        double: tensor('FP64', [3], [1, 2, 3]),
        string: bytes([3], ['first', '', 'third']),
      });
    expect(plain(await run(way, 'echo', inputs()))).toEqual(plain(inputs()));
  });

  test('outputs that are not one row for each row are right all the same', async () => {
    const inputs = named({ a: floats([3], [1, 2, 3]), b: floats([3, 2], [1, 1, 2, 2, 3, 3]) });
    for (let again = 0; again < 2; again++) {
      expect(
        plain(await run(way, 'two', new Map([...inputs].map(([name, each]) => [name, copyOf(each)])))),
      ).toMatchObject({
        total: { shape: [3], values: [3, 6, 9] },
        count: { shape: [], values: [3] },
      });
    }
  });

  test('a row that TensorFlow refuses fails the run, and not the next one', async () => {
    const at = (...index: number[]) =>
      run(way, 'look_up', named({ index: tensor('INT32', [index.length], index) }));
    await expect(at(0, 1, 2, 7)).rejects.toMatchObject({ kind: 'InvalidArgument' });
    await expect(at(7, 0)).rejects.toMatchObject({ kind: 'InvalidArgument' });
    expect(plain(await at(2, 0))).toEqual({ row: { shape: [2, 2], values: [20, 21, 0, 1] } });
  });

  test('many runs at once each get their own answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) =>
        plain(await run(way, 'serving_default', named({ x: floats([2], [i, -i]) }))),
      ),
    );
    expect(answers).toEqual(answers.map((_, i) => ({ y: { shape: [2], values: [i / 2 + 2, 2 - i / 2] } })));
  });
});

describe('saturation', () => {
  const start = (way: RunWay) =>
    run(way, 'convolve', named({ image: floats([64, 8, 8, 3], rowsOf(64, 192)) }));
  const isSaturated = (way: RunWay) => (engines.get(way) as Engine).isSaturated('plus');

  test('one run for each core, and one more, once no other model has run for a second', async () => {
    await start('OneThread');
    expect(isSaturated('OneThread')).toBe(true);
    await setTimeout(1100);
    const running: Promise<unknown>[] = [];
    for (let run = 0; run <= availableParallelism(); run++) {
      expect(isSaturated('OneThread')).toBe(false);
      running.push(start('OneThread'));
    }
    expect(isSaturated('OneThread')).toBe(true);
    await Promise.all(running);
    expect(isSaturated('OneThread')).toBe(false);
  });

  test('runs that failed leave nothing behind', async () => {
    const wrong = () => run('OneThread', 'look_up', named({ index: tensor('INT32', [1], [7]) }));
    await Promise.allSettled(Array.from({ length: 20 }, wrong));
    expect(isSaturated('OneThread')).toBe(false);
  });

  test('a run that has all threads', async () => {
    await start('Wide');
    await setTimeout(1100);
    const running = start('Wide');
    expect(isSaturated('Wide')).toBe(true);
    await running;
    expect(isSaturated('Wide')).toBe(false);
  });

  test('of a model that nobody knows', () => {
    expect((engines.get('Best') as Engine).isSaturated('nobody')).toBe(true);
  });
});

test('a model that is closed while it runs answers first', async () => {
  const engine = startEngine({ way: 'Divided' });
  await engine.load('closing', plus);
  const running = engine.run(
    'closing',
    'convolve',
    named({ image: floats([64, 8, 8, 3], rowsOf(64, 192)) }),
    { rows: 'Independent' },
  );
  await engine.close();
  expect((await running).get('score')?.shape).toEqual([64, 2]);
});

function copyOf(each: Tensor): Tensor {
  return { ...each, data: each.data.slice() } as Tensor;
}
