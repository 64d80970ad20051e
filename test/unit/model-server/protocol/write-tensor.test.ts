import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { elementWriter, flatList, nestedLists } from '../../../../model-server/protocol/write-tensor.ts';

function written(value: number): string {
  return elementWriter({ datatype: 'FP32', shape: [1], data: Float32Array.of(value) }, () => '')(0);
}

/** By way of texts, one number of digits after the other. */
function shortest(value: number): string {
  const digits = [7, 8, 9].find((each) => Math.fround(Number(value.toPrecision(each))) === value);
  return String(Number(value.toPrecision(digits)));
}

/** The FP32 that is so many steps further. */
function neighbour(value: number, ulps: number): number {
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = value;
  bits[0]! += ulps;
  return float[0];
}

test('an FP32 has as few digits as give the same value back', () => {
  const floats = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, min: -1000, max: 1000 }),
    fc.double({ noNaN: true, min: -1, max: 1 }).map((value) => Math.fround(Number(value.toFixed(3)))),
    // Probabilities, and what is near the places where exponents and other ways of writing begin.
    fc.double({ noNaN: true, min: -45, max: 10 }).map((power) => Math.fround(10 ** power)),
    fc
      .tuple(fc.integer({ min: -14, max: 10 }), fc.integer({ min: -3, max: 3 }))
      .map(([power, ulps]) => neighbour(Math.fround(10 ** power), ulps)),
  );
  fc.assert(
    fc.property(floats, (value) => {
      const text = written(value);
      expect(Object.is(Math.fround(JSON.parse(text)), value)).toBe(true);
      if (!Number.isInteger(value)) expect(text).toBe(shortest(value));
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  [0.1, '0.1'],
  [-0.1, '-0.1'],
  [1 / 3, '0.33333334'],
  [16_777_215.5, '16777216.0'],
  [9_999_999.5, '10000000.0'],
  [999_999.94, '999999.94'],
  [1e-6, '0.000001'],
  [1e-7, '1e-7'],
  [-1.25e-8, '-1.25e-8'],
  [9.9999999e-7, '0.000001'],
  [1e-12, '1e-12'],
  [1e9, '1000000000.0'],
  [-999_999_936, '-999999936.0'],
  [3.4028234663852886e38, '3.4028234663852886e+38'],
  [1.5, '1.5'],
  [3, '3.0'],
  [-0, '-0.0'],
  [Number.NaN, 'null'],
])('%d is written %s', (value, text) => {
  expect(written(value)).toBe(text);
});

test('lists of FP32 are those that its elements make one by one, however long', () => {
  const tensors = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const values = fc.array(fc.float({ noDefaultInfinity: false }), { minLength: length, maxLength: length });
    return values.map((data) => ({ datatype: 'FP32' as const, shape, data: Float32Array.from(data) }));
  });
  const doubles = (tensor: { shape: number[]; data: Float32Array }) => ({
    ...tensor,
    datatype: 'FP64' as const,
  });
  const numbers = (text: string) =>
    JSON.parse(text, (_, value) => (typeof value === 'number' ? Math.fround(value) : value));
  fc.assert(
    fc.property(tensors, (tensor) => {
      const plain = doubles(tensor) as never;
      const none = () => '';
      expect(numbers(nestedLists(tensor, none))).toEqual(numbers(nestedLists(plain, none)));
      expect(numbers(flatList(tensor, none))).toEqual(numbers(flatList(plain, none)));
      for (let row = 0; row < (tensor.shape[0] ?? 0); row++) {
        expect(numbers(nestedLists(tensor, none, row))).toEqual(numbers(nestedLists(plain, none, row)));
      }
    }),
  );
  const data = Float32Array.from({ length: 30_000 }, (_, index) => (index - 15_000) / 7);
  const long = { datatype: 'FP32' as const, shape: [10_000, 3], data };
  expect(JSON.parse(flatList(long, () => '')).map(Math.fround)).toEqual(Array.from(data));
  expect(
    JSON.parse(nestedLists(long, () => ''))
      .flat()
      .map(Math.fround),
  ).toEqual(Array.from(data));
});
