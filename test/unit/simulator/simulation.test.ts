/** That the simulator is deterministic, that the operator's code passes, and that broken code does not. */
import { describe, expect, test } from '@jest/globals';
import type { RegionInput } from '../../../operator/plan/failover/look.ts';
import type { ServiceRecord, ShareRecord } from '../../../operator/plan/failover/records.ts';
import { lookAtRegion, type RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { simulate } from '../../region/simulator/simulation.ts';

const seeds = (count: number, first = 1) => Array.from({ length: count }, (_, i) => first + i);

test('a seed tells the same story every time', () => {
  const tell = (): string[] => {
    const lines: string[] = [];
    simulate({ seed: 11, trace: (line) => lines.push(line) });
    return lines;
  };
  const story = tell();
  expect(story.length).toBeGreaterThan(20);
  expect(tell()).toEqual(story);
});

test('six schedules of faults and edits hold every invariant', () => {
  const results = seeds(6).map((seed) => simulate({ seed }));
  expect(results.filter(({ failure }) => failure !== undefined)).toEqual([]);
  expect(results.reduce((sum, { failovers }) => sum + failovers, 0)).toBeGreaterThan(0);
});

test('six schedules of maintenance cost no replica', () => {
  const results = seeds(6).map((seed) => simulate({ seed, of: 'Maintenance' }));
  expect(results.filter(({ failure }) => failure !== undefined)).toEqual([]);
});

test('a look after which only time has passed comes to what a whole look does', () => {
  let quiet = 0;
  const both = (input: RegionInput): RegionOutcome => {
    const { isQuiet, ...whole } = input;
    const outcome = lookAtRegion(input);
    if (!isQuiet) return outcome;
    quiet++;
    expect(outcome.records).toEqual(lookAtRegion(whole).records);
    return outcome;
  };
  for (const seed of seeds(6)) simulate({ seed, look: both });
  expect(quiet).toBeGreaterThan(100);
});

/** Changes every share of what comes out of a look. */
function mangled(
  outcome: RegionOutcome,
  change: (share: ShareRecord, record: ServiceRecord) => Partial<ShareRecord>,
): RegionOutcome {
  const records = new Map(
    [...outcome.records].map(([key, record]): [string, ServiceRecord] => {
      const shares = [...record.shares].map(([city, share]): [string, ShareRecord] => [
        city,
        { ...share, ...change(share, record) },
      ]);
      return [key, { ...record, shares: new Map(shares) }];
    }),
  );
  return { ...outcome, records };
}

type Look = (input: RegionInput) => RegionOutcome;

/** Whether a schedule finds it when the operator's code does this, in the words of the invariant. */
function isFound(look: Look, words: RegExp, of: 'All' | 'Maintenance' = 'All'): boolean {
  return seeds(MOST_SCHEDULES).some((seed) => words.test(simulate({ seed, look, of }).failure ?? ''));
}

const MOST_SCHEDULES = 200;

describe('code is caught that', () => {
  test('does not wait for the grace', () => {
    const impatient: Look = (input) =>
      lookAtRegion({
        ...input,
        services: input.services.map(({ intent, ...rest }) => {
          const placement = { ...intent.placement, failover: { graceSeconds: 16 } };
          return { ...rest, intent: { ...intent, placement } };
        }),
      });
    expect(isFound(impatient, /written off after \d+ ms, within the grace/)).toBe(true);
  });

  test('does not ask a second city', () => {
    const deaf: Look = (input) =>
      lookAtRegion({ ...input, cities: input.cities.map((city) => ({ ...city, views: new Map() })) });
    expect(isFound(deaf, /written off although city-\d sees it/)).toBe(true);
  });

  test('takes what starts for ready', () => {
    const hasty: Look = (input) =>
      lookAtRegion({
        ...input,
        cities: input.cities.map((city) => ({
          ...city,
          claims: new Map([...city.claims].map(([key, claim]) => [key, { ...claim, ready: claim.floor }])),
        })),
      });
    expect(isFound(hasty, /ready replicas are given up/)).toBe(true);
    expect(isFound(hasty, /ready replicas are given up/, 'Maintenance')).toBe(true);
  });

  test('forgets what is under way', () => {
    const forgetful: Look = (input) =>
      mangled(lookAtRegion(input), ({ grant }) => ({ mayHold: grant.ceiling }));
    expect(isFound(forgetful, /holds \d+, the hub thinks at most \d+/)).toBe(true);
  });

  test('ignores residency', () => {
    const lawless: Look = (input) =>
      lookAtRegion({
        ...input,
        services: input.services.map(({ intent, ...rest }) => {
          const { residency: _, ...placement } = intent.placement;
          return { ...rest, intent: { ...intent, placement } };
        }),
      });
    expect(isFound(lawless, /is forbidden and/)).toBe(true);
  });

  test('lets everything move at once', () => {
    const unbounded: Look = (input) =>
      lookAtRegion({ ...input, settings: { ...input.settings, maxMoves: 1_000 } });
    expect(isFound(unbounded, /services begin to move beside \d+/)).toBe(true);
  });

  test('counts what was written off as lost for good, and never asks it to give up', () => {
    const trusting: Look = (input) =>
      mangled(lookAtRegion(input), ({ standing }) => (standing.phase === 'Moved' ? { mayHold: 0 } : {}));
    expect(isFound(trusting, /holds \d+, the hub thinks at most 0/)).toBe(true);
  });

  test('takes its own pause for the silence of the cities', () => {
    const drowsy: Look = (input) => lookAtRegion({ ...input, awakeSinceMs: 0 });
    expect(isFound(drowsy, /written off after \d+ ms, within the grace/)).toBe(true);
  });
});
