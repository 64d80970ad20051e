import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultTolerance, divide, type Slot } from '../../../operator/plan/placement/divide.ts';
import { setQuotas } from '../../../operator/plan/placement/quotas.ts';
import { movedAway, sumOf } from './builders.ts';

const slot = (key: string, more: Partial<Slot> = {}): Slot => ({
  key,
  tier: 0,
  weight: 1,
  least: 0,
  most: 100,
  current: 0,
  ready: more.current ?? 0,
  tie: 0,
  ...more,
});
const divided = (total: number, ...slots: Slot[]) => Object.fromEntries(divide(total, slots));

describe('from nothing', () => {
  test.each<[string, number, Slot[], Record<string, number>]>([
    ['equal weights', 6, [slot('a'), slot('b'), slot('c')], { a: 2, b: 2, c: 2 }],
    [
      'a remainder goes by name when all is equal',
      4,
      [slot('b'), slot('a'), slot('c')],
      { a: 2, b: 1, c: 1 },
    ],
    ['a remainder goes to the higher tie', 4, [slot('a'), slot('b', { tie: 1 })], { a: 2, b: 2 }],
    [
      'the largest remainders (0.7, 1.4, 4.9) are rounded up',
      7,
      [slot('a', { weight: 1 }), slot('b', { weight: 2 }), slot('c', { weight: 7 })],
      { a: 1, b: 1, c: 5 },
    ],
    [
      'what does not fit goes to the others',
      9,
      [slot('a', { most: 1 }), slot('b'), slot('c')],
      { a: 1, b: 4, c: 4 },
    ],
    ['no more than there is room', 9, [slot('a', { most: 1 }), slot('b', { most: 2 })], { a: 1, b: 2 }],
    ['at least', 3, [slot('a', { weight: 9 }), slot('b', { least: 1 })], { a: 2, b: 1 }],
    [
      'a higher tier only when the lower is full',
      5,
      [slot('a', { most: 3 }), slot('b', { tier: 1 })],
      { a: 3, b: 2 },
    ],
    [
      'no weight at all counts as equal',
      4,
      [slot('a', { weight: 0 }), slot('b', { weight: 0 })],
      { a: 2, b: 2 },
    ],
    ['nothing', 0, [slot('a')], { a: 0 }],
  ])('%s', (_what, total, slots, counts) => {
    expect(divided(total, ...slots)).toEqual(counts);
  });
});

describe('from what there is', () => {
  test('one replica more or less changes one slot', () => {
    expect(divided(7, slot('a', { current: 2 }), slot('b', { current: 4 }))).toEqual({ a: 3, b: 4 });
    expect(divided(5, slot('a', { current: 2 }), slot('b', { current: 4 }))).toEqual({ a: 2, b: 3 });
  });

  test('a new slot does not pull replicas until the others are beyond the tolerance', () => {
    expect(divided(3, slot('a', { current: 2 }), slot('b', { current: 1 }), slot('c'))).toEqual({
      a: 2,
      b: 1,
      c: 0,
    });
    expect(divided(10, slot('a', { current: 10 }), slot('b'))).toEqual({ a: 5, b: 5 });
  });

  test('what is not ready goes first', () => {
    expect(divided(4, slot('a', { current: 2 }), slot('b', { current: 4, ready: 2 }))).toEqual({
      a: 2,
      b: 2,
    });
    expect(divided(5, slot('a', { current: 4, ready: 3 }), slot('b', { current: 3 }))).toEqual({
      a: 3,
      b: 2,
    });
  });

  test('a slot that lost its room loses its replicas', () => {
    expect(divided(4, slot('a', { current: 4, most: 1 }), slot('b'))).toEqual({ a: 1, b: 3 });
  });
});

const anySlots = fc
  .array(
    fc.record({
      tier: fc.constantFrom(0, 0, 0, 1),
      weight: fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 100 })),
      least: fc.constantFrom(0, 0, 0, 1, 2),
      room: fc.integer({ min: 0, max: 40 }),
      current: fc.constantFrom(0, 0, 1, 3, 10),
      unready: fc.constantFrom(0, 0, 1),
      tie: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((drawn) =>
    drawn.map(
      ({ room, unready, ...rest }, index): Slot => ({
        ...rest,
        key: `city-${index}`,
        most: rest.least + room,
        ready: Math.max(0, rest.current - unready),
      }),
    ),
  );
const anyTotal = fc.integer({ min: 0, max: 60 });
const roomOf = (slots: readonly Slot[]) => slots.reduce((sum, { most }) => sum + most, 0);
const leastOf = (slots: readonly Slot[]) => slots.reduce((sum, { least }) => sum + least, 0);
const quotasOf = (total: number, slots: readonly Slot[]) => {
  const shares = slots.map((one) => ({ slot: one, quota: 0 }));
  setQuotas(total, shares);
  return new Map(shares.map(({ slot: { key }, quota }) => [key, quota]));
};

describe('always', () => {
  test('quotas lie within bounds and sum up to the total, or as near as the bounds allow', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, (total, slots) => {
        const quotas = quotasOf(total, slots);
        for (const { key, least, most } of slots) {
          expect(quotas.get(key)).toBeGreaterThanOrEqual(least);
          expect(quotas.get(key)).toBeLessThanOrEqual(most);
        }
        expect(sumOf(quotas)).toBeCloseTo(Math.min(roomOf(slots), Math.max(leastOf(slots), total)), 6);
      }),
    );
  });

  test('the sum is exact and every count within its bounds', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, (total, slots) => {
        const counts = divide(total, slots);
        for (const { key, least, most } of slots) {
          expect(counts.get(key)).toBeGreaterThanOrEqual(least);
          expect(counts.get(key)).toBeLessThanOrEqual(most);
        }
        expect(sumOf(counts)).toBe(Math.min(roomOf(slots), Math.max(leastOf(slots), total)));
      }),
    );
  });

  test('the order of the slots does not matter', () => {
    const shuffled = anySlots.chain((slots) =>
      fc.tuple(fc.constant(slots), fc.shuffledSubarray(slots, { minLength: slots.length })),
    );
    fc.assert(
      fc.property(anyTotal, shuffled, (total, [slots, others]) => {
        expect(new Map(divide(total, others))).toEqual(divide(total, slots));
      }),
    );
  });

  test('dividing again changes nothing', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, (total, slots) => {
        const counts = divide(total, slots);
        const again = slots.map((one) => ({
          ...one,
          current: counts.get(one.key)!,
          ready: counts.get(one.key)!,
        }));
        expect(divide(total, again)).toEqual(counts);
      }),
    );
  });

  test('from nothing every count is less than one from its quota', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, (total, drawn) => {
        const slots = drawn.map((one) => ({ ...one, current: 0, ready: 0 }));
        const quotas = quotasOf(total, slots);
        for (const [key, count] of divide(total, slots)) {
          expect(Math.abs(count - quotas.get(key)!)).toBeLessThan(1 + 1e-5);
        }
      }),
    );
  });

  test('no count is further from its quota than the tolerance', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, (total, slots) => {
        const quotas = quotasOf(total, slots);
        for (const [key, count] of divide(total, slots)) {
          expect(Math.abs(count - quotas.get(key)!)).toBeLessThanOrEqual(defaultTolerance(total) + 1e-5);
        }
      }),
    );
  });

  test('a changed total moves nothing that need not move', () => {
    fc.assert(
      fc.property(anyTotal, anyTotal, anySlots, (before, after, slots) => {
        const settled = divide(before, slots);
        const again = slots.map((one) => ({
          ...one,
          current: settled.get(one.key)!,
          ready: settled.get(one.key)!,
        }));
        const counts = divide(after, again, Number.POSITIVE_INFINITY);
        expect(movedAway(settled, counts)).toBe(Math.max(0, sumOf(settled) - sumOf(counts)));
      }),
    );
  });
});
