import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { elementWriter } from '../../../../model-server/protocol/write-tensor.ts';

function written(value: number): string {
  return elementWriter({ datatype: 'FP32', shape: [1], data: Float32Array.of(value) }, () => '')(0);
}

/** By way of texts, one number of digits after the other. */
function shortest(value: number): string {
  const digits = [7, 8, 9].find((each) => Math.fround(Number(value.toPrecision(each))) === value);
  return String(Number(value.toPrecision(digits)));
}

test('an FP32 has as few digits as give the same value back', () => {
  const floats = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, min: -1000, max: 1000 }),
    fc.double({ noNaN: true, min: -1, max: 1 }).map((value) => Math.fround(Number(value.toFixed(3)))),
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
  [1.5, '1.5'],
  [3, '3.0'],
  [-0, '-0.0'],
  [Number.NaN, 'null'],
])('%d is written %s', (value, text) => {
  expect(written(value)).toBe(text);
});
