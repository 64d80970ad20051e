import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cast, isCastable } from '../../../../model-server/protocol/cast.ts';
import { fromBfloat16, fromHalf, toBfloat16, toHalf } from '../../../../model-server/protocol/half.ts';
import { type Datatype, datatypes, type Tensor } from '../../../../model-server/protocol/tensor.ts';
import { said, tensorOf, tensors } from './tensors.ts';

const all = Array.from({ length: 65_536 }, (_, bits) => bits);

describe('sixteen-bit floats', () => {
  test('every FP16 and BF16 is itself again', () => {
    const same = (from: (bits: number) => number, to: (value: number) => number) =>
      all.filter((bits) => !Number.isNaN(from(bits)) && to(from(bits)) !== bits);
    expect(same(fromHalf, toHalf)).toEqual([]);
    expect(same(fromBfloat16, toBfloat16)).toEqual([]);
    expect(fromHalf(toHalf(Number.NaN))).toBeNaN();
    expect(fromBfloat16(toBfloat16(Number.NaN))).toBeNaN();
  });

  test('known values', () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00].map(fromHalf)).toEqual([
      1,
      -2,
      65_504,
      2 ** -24,
      Infinity,
    ]);
    expect([0x3f80, 0xc000, 0x7f7f].map(fromBfloat16)).toEqual([1, -2, 3.3895313892515355e38]);
    expect([65_519, 65_520, 2 ** -25, 2 ** -25 * 1.01].map(toHalf)).toEqual([0x7bff, 0x7c00, 0, 1]);
  });

  test('a number becomes the nearest of its two neighbours, the even one in the middle', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7bfe }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (bits, share) => {
          const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
          const value = low + (high - low) * share;
          const middle = (low + high) / 2;
          const expected = value < middle ? bits : value > middle ? bits + 1 : bits + (bits % 2);
          expect(toHalf(value)).toBe(expected);
          expect(toHalf(-value)).toBe(expected | 0x8000);
        },
      ),
    );
  });
});

describe('cast', () => {
  test.each<[Datatype, number | bigint, Datatype, number | bigint | string]>([
    ['INT8', -1, 'INT64', -1n],
    ['INT64', -1n, 'INT32', -1],
    ['INT64', 2n ** 31n, 'INT32', 'element 0 is 2147483648, which INT32 cannot hold'],
    ['INT8', -1, 'UINT8', 'element 0 is -1, which UINT8 cannot hold'],
    ['UINT64', 2n ** 64n - 1n, 'INT64', 'element 0 is 18446744073709551615, which INT64 cannot hold'],
    ['INT32', 2 ** 24, 'FP32', 2 ** 24],
    ['INT32', 2 ** 24 + 1, 'FP32', 'element 0 is 16777217, which FP32 cannot hold'],
    ['INT64', 2n ** 53n, 'FP64', 2 ** 53],
    ['UINT16', 2049, 'FP16', 'element 0 is 2049, which FP16 cannot hold'],
    ['FP64', 0.1, 'FP32', Math.fround(0.1)],
    ['FP64', 1e39, 'FP32', 'element 0 is 1e+39, which FP32 cannot hold'],
    ['FP64', Number.NaN, 'FP32', Number.NaN],
    ['FP64', -Infinity, 'FP16', 0xfc00],
    ['FP32', 65_504, 'FP16', 0x7bff],
    ['FP16', 0x3c00, 'FP64', 1],
    ['FP32', 1, 'INT32', 'datatype FP32 found, INT32 expected'],
    ['BOOL', 1, 'FP32', 'datatype BOOL found, FP32 expected'],
    ['UINT8', 1, 'BYTES', 'datatype UINT8 found, BYTES expected'],
  ])('%s %p as %s', (from, value, to, expected) => {
    const result = cast(tensorOf(from, [1], [value]), to);
    expect(typeof result === 'string' ? result : (result.data as ArrayLike<unknown>)[0]).toEqual(expected);
  });

  test('whatever is cast between integers, or to wider floats, comes back as it was', () => {
    const pair = fc
      .constantFrom(...datatypes)
      .chain((from) => fc.tuple(tensors(from, { json: true }), fc.constantFrom(...datatypes)));
    fc.assert(
      fc.property(pair, ([tensor, to]) => {
        const there = cast(tensor, to);
        expect(
          typeof there !== 'string' || !isCastable(tensor.datatype, to) || there.includes('cannot hold'),
        ).toBe(true);
        if (typeof there === 'string' || !isCastable(to, tensor.datatype)) return;
        const isNarrower = to === 'FP16' || to === 'BF16' || (tensor.datatype === 'FP64' && to === 'FP32');
        if (!isNarrower) expect(said(cast(there, tensor.datatype) as Tensor)).toEqual(said(tensor));
      }),
      { numRuns: 2000 },
    );
  });
});
