/** The short way of placing a service comes to the very same as the long one. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { candidatesFor } from '../../../operator/plan/placement/candidates.ts';
import type { City, PlacementRequest, PresentShare } from '../../../operator/plan/placement/city.ts';
import { Ledger } from '../../../operator/plan/placement/ledger.ts';
import { enteredReplicas, placeByDividing } from '../../../operator/plan/placement/place.ts';
import { type Candidates, placePlainly } from '../../../operator/plan/placement/plain.ts';
import { city, GPU, placement, present, request } from './builders.ts';

const anyCity = fc.record({
  gpus: fc.integer({ min: 0, max: 6 }),
  condition: fc.constantFrom('Steady' as const, 'Steady' as const, 'Settling' as const),
  isDraining: fc.constantFrom(false, false, false, true),
  taint: fc.constantFrom(undefined, undefined, 'NoSchedule' as const, 'PreferNoSchedule' as const),
});
const anyShare = fc.record({
  assigned: fc.integer({ min: 0, max: 2 }),
  more: fc.integer({ min: 0, max: 1 }),
  isReady: fc.boolean(),
  isYielding: fc.constantFrom(false, false, false, true),
});
const anyScene = fc.record({
  replicas: fc.integer({ min: 0, max: 6 }),
  amount: fc.constantFrom(1, 1, 2),
  cities: fc.array(anyCity, { minLength: 1, maxLength: 9 }),
  shares: fc.array(fc.option(anyShare, { freq: 2 }), { maxLength: 4 }),
  others: fc.array(fc.nat({ max: 3 }), { maxLength: 9 }),
});

type Scene = typeof anyScene extends fc.Arbitrary<infer S> ? S : never;

function regionOf({ cities, replicas, amount, shares }: Scene): {
  readonly cities: City[];
  readonly wanted: PlacementRequest;
} {
  const built = cities.map(({ gpus, taint, ...rest }, at) =>
    city(`city-${at}`, gpus, { ...rest, taints: taint ? [{ key: 'roof', effect: taint }] : [] }),
  );
  const stood = shares.flatMap((share, at): [string, PresentShare][] => {
    if (!share || at >= cities.length) return [];
    const { assigned, more, isReady, isYielding } = share;
    const ready = isReady ? assigned : 0;
    return [[`city-${at}`, present(assigned, { ready, held: assigned + more, isYielding })]];
  });
  const demand = [{ resource: GPU, amount }];
  return { cities: built, wanted: request(replicas, { demand, shares: new Map(stood) }) };
}

function ledgerOf(
  { others }: Scene,
  cities: readonly City[],
  { shares, ...wanted }: PlacementRequest,
): Ledger {
  const ledger = new Ledger(cities);
  others.forEach((replicas, at) => {
    const demand = [{ resource: GPU, amount: 1 }];
    ledger.set(`city-${at}`, { key: `default/other-${at}`, priority: 0, demand }, replicas);
  });
  for (const [where, share] of shares) ledger.set(where, wanted, enteredReplicas(share));
  return ledger;
}

test('wherever there is a short way, it comes to what dividing over all cities does', () => {
  let short = 0;
  let total = 0;
  fc.assert(
    fc.property(anyScene, (scene) => {
      const { cities, wanted } = regionOf(scene);
      const all = candidatesFor(placement(), cities);
      const candidates: Candidates = { all, byCity: new Map(all.map((one) => [one.city.name, one])) };
      const counts = placePlainly(wanted, candidates, ledgerOf(scene, cities, wanted));
      total++;
      if (!counts) return;
      short++;
      const divided = placeByDividing(wanted, all, ledgerOf(scene, cities, wanted));
      expect([...counts].sort()).toEqual([...divided.assigned].sort());
      expect(divided).toMatchObject({ waiting: 0, displaced: new Map(), crowdedIn: new Set() });
    }),
    { numRuns: 2_000 },
  );
  // The short way must have been gone often enough for this to say something.
  expect(short).toBeGreaterThan(total / 10);
});
