import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf, innerShapes, join, rowsOf, split } from '../../../../model-server/engine/batch-tensors.ts';
import type { NamedTensors, Tensor } from '../../../../model-server/protocol/tensor.ts';

const floats = (shape: number[], from = 0): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => from + index),
});
const texts = (...values: string[]): Tensor => ({
  datatype: 'BYTES',
  shape: [values.length],
  data: values.map((value) => Buffer.from(value)),
});
const named = (tensors: Record<string, Tensor>): NamedTensors => new Map(Object.entries(tensors));

test('requests are joined into one buffer per input, row after row', () => {
  const joined = join([
    named({ x: floats([1, 2], 0), s: texts('a') }),
    named({ x: floats([2, 2], 10), s: texts('b', 'c') }),
  ]);
  expect(joined.get('x')).toEqual({
    datatype: 'FP32',
    shape: [3, 2],
    data: Float32Array.from([0, 1, 10, 11, 12, 13]),
  });
  expect(joined.get('s')).toEqual({ ...texts('a', 'b', 'c') });
});

test('the parts of a joined batch are left as they were', () => {
  const part = floats([1, 2]);
  const joined = join([named({ x: part })]);
  (joined.get('x')?.data as Float32Array)[0] = 99;
  expect(part.data[0]).toBe(0);
});

test.each<[string, Record<string, Tensor>, number | undefined]>([
  ['one input', { x: floats([3, 2]) }, 3],
  ['two that agree', { x: floats([3, 2]), y: floats([3]) }, 3],
  ['two that do not', { x: floats([3, 2]), y: floats([2]) }, undefined],
  ['a scalar', { x: floats([]) }, undefined],
  ['no rows', { x: floats([0, 2]) }, undefined],
  ['no input', {}, undefined],
])('rows of %s', (_what, tensors, rows) => expect(rowsOf(named(tensors))).toBe(rows));

test('only equal datatypes and inner shapes have equal keys', () => {
  const key = (tensors: Record<string, Tensor>) => innerShapes(named(tensors));
  expect(key({ x: floats([1, 2, 3]) })).toBe(key({ x: floats([9, 2, 3]) }));
  const others = [
    { x: floats([1, 3, 2]) },
    { x: floats([1, 6]) },
    { y: floats([1, 2, 3]) },
    { x: texts('a') },
  ];
  for (const other of others) expect(key(other)).not.toBe(key({ x: floats([1, 2, 3]) }));
});

describe('split', () => {
  test('gives every request its rows, for any rows and inner shape', () => {
    const rows = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });
    const inner = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
    fc.assert(
      fc.property(rows, inner, (counts, shape) => {
        const requests = counts.map((count, index) => named({ x: floats([count, ...shape], 100 * index) }));
        expect(split(join(requests), counts)).toEqual(requests);
      }),
    );
  });

  test('texts too', () => {
    const requests = [named({ s: texts('a', 'b') }), named({ s: texts('c') })];
    expect(split(join(requests), [2, 1])).toEqual(requests);
  });

  test.each([[[2, 1]], [[]], [[4, 1]]])(
    'outputs of shape %j are nobody’s when three rows went in',
    (shape) => {
      expect(split(named({ y: floats(shape) }), [1, 2])).toBeUndefined();
    },
  );
});

test('bytes count what is held', () => {
  expect(bytesOf(named({ x: floats([2, 3]) }))).toBe(24);
  expect(bytesOf(named({ s: texts('abc', '') }))).toBeGreaterThan(3);
});
