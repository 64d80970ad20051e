import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Spread } from '../../../crds/placement.ts';
import { type CitySlot, divideOverDomains } from '../../../operator/plan/placement/spread.ts';
import { movedAway, sumOf } from './builders.ts';

const slot = (domain: string, key: string, more: Partial<CitySlot> = {}): CitySlot => ({
  key,
  domain,
  tier: 0,
  weight: 1,
  least: 0,
  most: 100,
  current: 0,
  ready: more.current ?? 0,
  tie: 0,
  ...more,
});
const spread = (more: Partial<Spread> = {}): Spread => ({
  topologyKey: 'region',
  whenUnsatisfiable: 'DoNotSchedule',
  ...more,
});
const divided = (total: number, rules: Spread, ...slots: CitySlot[]) =>
  Object.fromEntries(divideOverDomains(total, slots, rules));

const north = [slot('norte', 'porto'), slot('norte', 'braga')];
const south = [slot('sul', 'faro')];
const islands = [slot('ilhas', 'funchal')];

describe('spreading', () => {
  test.each<[string, number, Partial<Spread>, CitySlot[], Record<string, number>]>([
    [
      'groups are equal, not cities, with a skew of one',
      4,
      { maxSkew: 1 },
      [...north, ...south],
      { porto: 1, braga: 1, faro: 2 },
    ],
    ['without a skew the weights decide', 6, {}, [...north, ...south], { porto: 2, braga: 2, faro: 2 }],
    [
      'at least two groups',
      2,
      { minGroups: 2 },
      [slot('norte', 'porto', { weight: 99 }), ...south],
      { porto: 1, faro: 1 },
    ],
    [
      'at most two groups: those with most replicas, then those with most weight',
      3,
      { maxGroups: 2 },
      [...north, slot('sul', 'faro', { current: 1 }), ...islands],
      { porto: 1, braga: 1, faro: 1, funchal: 0 },
    ],
    [
      'a full group holds the others back',
      9,
      { maxSkew: 1 },
      [slot('norte', 'porto'), slot('sul', 'faro', { most: 1 })],
      { porto: 2, faro: 1 },
    ],
    [
      'or not, when rather uneven than fewer',
      9,
      { maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' },
      [slot('norte', 'porto'), slot('sul', 'faro', { most: 1 })],
      { porto: 8, faro: 1 },
    ],
    [
      'fewer groups than asked for hold no more than the skew',
      5,
      { minGroups: 3, maxSkew: 2 },
      [slot('norte', 'porto'), ...south],
      { porto: 2, faro: 2 },
    ],
    [
      'or all, when rather uneven than fewer',
      5,
      { minGroups: 3, whenUnsatisfiable: 'ScheduleAnyway' },
      [slot('norte', 'porto'), ...south],
      { porto: 3, faro: 2 },
    ],
    [
      'one more group than asked for, when all would not fit',
      6,
      { maxGroups: 1, whenUnsatisfiable: 'ScheduleAnyway' },
      [
        slot('norte', 'porto', { most: 4 }),
        slot('sul', 'faro', { most: 4 }),
        slot('ilhas', 'funchal', { most: 1 }),
      ],
      { porto: 3, faro: 3, funchal: 0 },
    ],
    [
      'the group with room for all, when only one is allowed',
      6,
      { maxGroups: 1 },
      [slot('norte', 'porto', { most: 4, weight: 9 }), slot('sul', 'faro', { most: 6 })],
      { porto: 0, faro: 6 },
    ],
  ])('%s', (_what, total, rules, slots, counts) => {
    expect(divided(total, spread(rules), ...slots)).toEqual(counts);
  });
});

const anySpread = fc.record({
  topologyKey: fc.constant('region'),
  whenUnsatisfiable: fc.constantFrom('DoNotSchedule' as const, 'ScheduleAnyway' as const),
  minGroups: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  maxGroups: fc.option(fc.integer({ min: 4, max: 6 }), { nil: undefined }),
  maxSkew: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
}) as fc.Arbitrary<Spread>;
const anySlots = fc
  .array(
    fc.record({
      domain: fc.constantFrom('norte', 'centro', 'sul', 'ilhas', 'interior'),
      weight: fc.integer({ min: 0, max: 5 }),
      most: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 })),
      current: fc.constantFrom(0, 0, 2, 5),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((drawn) =>
    drawn.map(
      (one, index): CitySlot => ({ ...slot(one.domain, `city-${index}`), ...one, ready: one.current }),
    ),
  );
const anyTotal = fc.integer({ min: 0, max: 40 });

/** Counts of the groups, those without a replica too. */
function groupsOf(counts: ReadonlyMap<string, number>, slots: readonly CitySlot[]): Map<string, number> {
  const groups = new Map<string, number>();
  for (const { key, domain } of slots) groups.set(domain, (groups.get(domain) ?? 0) + counts.get(key)!);
  return groups;
}

describe('always', () => {
  test('DoNotSchedule keeps every rule', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, anySpread, (total, slots, drawn) => {
        const rules = { ...drawn, whenUnsatisfiable: 'DoNotSchedule' as const };
        const counts = divideOverDomains(total, slots, rules);
        const groups = [...groupsOf(counts, slots).values()];
        for (const { key, most } of slots) expect(counts.get(key)).toBeLessThanOrEqual(most);
        const used = groups.filter((count) => count > 0).length;
        if (rules.maxGroups !== undefined) expect(used).toBeLessThanOrEqual(rules.maxGroups);
        if (rules.maxSkew !== undefined && rules.maxGroups === undefined) {
          expect(Math.max(...groups) - Math.min(...groups)).toBeLessThanOrEqual(rules.maxSkew);
        }
        const reachable = new Set(slots.filter(({ most }) => most > 0).map(({ domain }) => domain)).size;
        const groupsWanted = Math.min(rules.minGroups ?? 0, sumOf(counts));
        if (reachable >= (rules.minGroups ?? 0)) expect(used).toBeGreaterThanOrEqual(groupsWanted);
        else expect(Math.max(...groups)).toBeLessThanOrEqual(rules.maxSkew ?? 1);
      }),
    );
  });

  test('a skew alone holds nothing back that could stand within it', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, fc.integer({ min: 1, max: 4 }), (total, slots, maxSkew) => {
        const counts = divideOverDomains(total, slots, spread({ maxSkew }));
        const rooms = [...groupsOf(new Map(slots.map(({ key, most }) => [key, most])), slots).values()];
        const possible = Math.max(
          ...[...new Array(Math.min(...rooms) + 1).keys()].map((least) =>
            rooms.reduce((sum, room) => sum + Math.min(room, least + maxSkew), 0),
          ),
        );
        expect(sumOf(counts)).toBe(Math.min(total, possible));
      }),
    );
  });

  test('ScheduleAnyway places all that there is room for', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, anySpread, (total, slots, drawn) => {
        const counts = divideOverDomains(total, slots, { ...drawn, whenUnsatisfiable: 'ScheduleAnyway' });
        const room = slots.reduce((sum, { most }) => sum + most, 0);
        expect(sumOf(counts)).toBe(Math.min(total, room));
      }),
    );
  });

  test('dividing again moves nothing', () => {
    fc.assert(
      fc.property(anyTotal, anySlots, anySpread, (total, slots, rules) => {
        const counts = divideOverDomains(total, slots, rules);
        const again = slots.map((one) => ({
          ...one,
          current: counts.get(one.key)!,
          ready: counts.get(one.key)!,
        }));
        expect(movedAway(counts, divideOverDomains(total, again, rules))).toBe(0);
      }),
    );
  });
});
