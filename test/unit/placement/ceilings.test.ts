import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type CeilingShare, ceilings } from '../../../operator/plan/placement/ceilings.ts';
import { sumOf } from './builders.ts';

const share = (city: string, more: Partial<CeilingShare> = {}): CeilingShare => ({
  city,
  guaranteed: 1,
  takesMore: true,
  ceiling: 1,
  isPinned: false,
  needed: 0,
  room: 100,
  tie: 0,
  ...more,
});
const split = (maximum: number, ...shares: CeilingShare[]) => Object.fromEntries(ceilings(maximum, shares));

describe('headroom', () => {
  test('is split by what is guaranteed while there is no load', () => {
    expect(split(12, share('porto', { guaranteed: 2 }), share('faro', { guaranteed: 1 }))).toEqual({
      porto: 8,
      faro: 4,
    });
  });

  test('follows the load', () => {
    const shares = [share('porto', { ceiling: 5, needed: 9 }), share('faro', { ceiling: 5, needed: 1 })];
    expect(split(10, ...shares)).toEqual({ porto: 8, faro: 2 });
  });

  test('stays where it is while the load hardly changes', () => {
    const shares = [share('porto', { ceiling: 6, needed: 5 }), share('faro', { ceiling: 4, needed: 4 })];
    expect(split(10, ...shares)).toEqual({ porto: 6, faro: 4 });
  });

  test('goes where there is room', () => {
    expect(split(10, share('porto', { needed: 9, room: 2 }), share('faro'))).toEqual({ porto: 3, faro: 7 });
  });

  test('that a silent city may use stays with it', () => {
    expect(split(10, share('porto', { ceiling: 6, isPinned: true }), share('faro'))).toEqual({
      porto: 6,
      faro: 4,
    });
  });

  test('is not given to a city that is to have none', () => {
    expect(split(10, share('porto', { guaranteed: 2, takesMore: false, ceiling: 6 }), share('faro'))).toEqual(
      {
        porto: 2,
        faro: 8,
      },
    );
  });

  test('is nothing where the maximum is what is guaranteed', () => {
    expect(split(2, share('porto'), share('faro'))).toEqual({ porto: 1, faro: 1 });
  });
});

test('the sum never passes the maximum, but for what is guaranteed or cannot be changed', () => {
  const anyShares = fc
    .array(
      fc.record({
        guaranteed: fc.integer({ min: 0, max: 5 }),
        beyond: fc.integer({ min: 0, max: 8 }),
        takesMore: fc.boolean(),
        isPinned: fc.boolean(),
        needed: fc.integer({ min: 0, max: 20 }),
        room: fc.integer({ min: 0, max: 10 }),
      }),
      { minLength: 1, maxLength: 6 },
    )
    .map((drawn) =>
      drawn.map(({ beyond, ...rest }, at) =>
        share(`city-${at}`, { ...rest, ceiling: rest.guaranteed + beyond }),
      ),
    );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), anyShares, (maximum, shares) => {
      const result = ceilings(maximum, shares);
      const fixed = shares.reduce((sum, one) => sum + (one.isPinned ? one.ceiling : one.guaranteed), 0);
      expect(sumOf(result)).toBeLessThanOrEqual(Math.max(maximum, fixed));
      for (const one of shares) {
        const ceiling = result.get(one.city)!;
        expect(ceiling).toBeGreaterThanOrEqual(one.guaranteed);
        if (!one.isPinned) expect(ceiling).toBeLessThanOrEqual(one.guaranteed + one.room);
      }
    }),
  );
});
