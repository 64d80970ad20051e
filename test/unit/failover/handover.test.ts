import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type HandoverGoal,
  type HandoverShare,
  handOver,
  handoverLimit,
} from '../../../operator/plan/failover/handover.ts';
import { ceilings } from '../../../operator/plan/placement/ceilings.ts';

/** A city that has what it is meant to have, all of it ready. */
function share(city: string, replicas: number, more: Partial<HandoverShare> = {}): HandoverShare {
  const grant = more.grant ?? { floor: replicas, ceiling: replicas };
  return {
    city,
    assigned: replicas,
    ceiling: replicas,
    most: 100,
    grant,
    mayHold: grant.ceiling,
    running: grant.floor,
    ready: grant.floor,
    fits: 100,
    change: 'Any',
    leaves: 'Gently',
    ...more,
  };
}
const has = (floor: number, ceiling = floor) => ({ grant: { floor, ceiling } });
const goal = (replicas: number, more: Partial<HandoverGoal> = {}): HandoverGoal => ({
  replicas,
  maximum: replicas,
  isAutoscaled: false,
  mayOverlap: true,
  ...more,
});
const next = (target: HandoverGoal, ...shares: HandoverShare[]) =>
  Object.fromEntries(handOver(shares, target));
const both = (replicas: number) => ({ floor: replicas, ceiling: replicas });

describe('one step', () => {
  test.each<[string, HandoverGoal, HandoverShare[], object]>([
    ['nothing to do', goal(4), [share('porto', 2), share('faro', 2)], {}],
    [
      'a new service starts everywhere at once',
      goal(4),
      [share('porto', 2, has(0)), share('faro', 2, has(0))],
      { porto: both(2), faro: both(2) },
    ],
    ['more replicas', goal(6), [share('porto', 6, has(2))], { porto: both(6) }],
    ['fewer replicas', goal(1), [share('porto', 1, has(4))], { porto: both(1) }],
    [
      'a quarter starts elsewhere first',
      goal(4),
      [share('porto', 0, has(4)), share('faro', 4, has(0))],
      { faro: both(1) },
    ],
    [
      'what is replaced is given up',
      goal(4),
      [share('porto', 0, has(4)), share('faro', 4, has(1))],
      { porto: both(3) },
    ],
    [
      'a replica that is not ready replaces nothing',
      goal(4),
      [share('porto', 0, has(4)), share('faro', 4, { ...has(1), ready: 0 })],
      {},
    ],
    [
      'what is not ready is given up freely',
      goal(4),
      [share('porto', 0, { ...has(4), ready: 1 }), share('faro', 4, has(0))],
      { porto: both(1), faro: both(1) },
    ],
    ['with nowhere to go a leaving city keeps all', goal(4), [share('porto', 0, has(4))], {}],
    [
      'no more starts than fits',
      goal(8),
      [share('porto', 0, has(8)), share('faro', 8, { ...has(0), fits: 1 })],
      { faro: both(1) },
    ],
    [
      'nothing starts beside what it replaces while enough services move',
      goal(4, { mayOverlap: false }),
      [share('porto', 0, has(4)), share('faro', 4, has(0))],
      {},
    ],
    [
      'what is missing starts even then',
      goal(4, { mayOverlap: false }),
      [share('porto', 2), share('faro', 2, has(0))],
      { faro: both(2) },
    ],
    [
      'what may still be held counts',
      goal(4),
      [share('porto', 0, { ...has(3), mayHold: 5 }), share('faro', 4, has(0))],
      {},
    ],
    [
      'residency does not wait',
      goal(4),
      [share('porto', 0, { ...has(4), leaves: 'AtOnce' }), share('faro', 4, has(0))],
      { porto: both(0), faro: both(1) },
    ],
    [
      'a silent city is left alone, and secures nothing',
      goal(4),
      [share('porto', 2, { ...has(2), change: 'None' }), share('faro', 2, has(3))],
      {},
    ],
    [
      'a city that has come back gives up and gets nothing',
      goal(4),
      [share('porto', 0, { ...has(3), change: 'Shrink' }), share('faro', 4)],
      { porto: both(0) },
    ],
    [
      'one that has come back and is still to have more waits',
      goal(4),
      [share('porto', 4, { ...has(3), change: 'Shrink' })],
      {},
    ],
  ])('%s', (_what, target, shares, grants) => {
    expect(next(target, ...shares)).toEqual(grants);
  });
});

describe('with an autoscaler', () => {
  const scaled = goal(2, { maximum: 10, isAutoscaled: true });
  test.each<[string, HandoverGoal, HandoverShare[], object]>([
    [
      'headroom moves at once',
      scaled,
      [share('porto', 1, { ...has(1, 8), ceiling: 4 }), share('faro', 1, { ...has(1, 2), ceiling: 6 })],
      { porto: { floor: 1, ceiling: 4 } },
    ],
    [
      'and is taken when it was given up',
      scaled,
      [share('porto', 1, { ...has(1, 4), ceiling: 4 }), share('faro', 1, { ...has(1, 2), ceiling: 6 })],
      { faro: { floor: 1, ceiling: 6 } },
    ],
    [
      'a leaving city gives up unused headroom first',
      scaled,
      [
        share('porto', 0, { ...has(2, 10), ceiling: 2, running: 5, ready: 5 }),
        share('faro', 2, { ...has(0), ceiling: 8 }),
      ],
      { porto: { floor: 2, ceiling: 5 } },
    ],
    [
      'the last guaranteed replica stays beside those of the autoscaler',
      scaled,
      [
        share('porto', 0, { ...has(2, 6), ceiling: 2, running: 6, ready: 6 }),
        share('faro', 2, { ...has(2, 4), ceiling: 8 }),
      ],
      { porto: { floor: 1, ceiling: 5 } },
    ],
    [
      'and goes with the last of them',
      scaled,
      [
        share('porto', 0, { ...has(1, 2), ceiling: 1, running: 2, ready: 2 }),
        share('faro', 2, { ...has(2, 8), ceiling: 8 }),
      ],
      { porto: both(0) },
    ],
    [
      'with nowhere to go the autoscaler keeps its headroom',
      scaled,
      [share('porto', 0, { ...has(2, 10), ceiling: 2, running: 5, ready: 5 })],
      {},
    ],
    [
      'what is in the way of guaranteed replicas goes, in use or not',
      scaled,
      [share('porto', 2, { ...has(2, 8), ceiling: 3, most: 3, running: 7, ready: 7 })],
      { porto: { floor: 2, ceiling: 3 } },
    ],
    [
      'a new city gets its headroom with its replicas',
      scaled,
      [share('porto', 2, { ...has(0), ceiling: 7 })],
      { porto: { floor: 2, ceiling: 7 } },
    ],
  ])('%s', (_what, target, shares, grants) => {
    expect(next(target, ...shares)).toEqual(grants);
  });
});

/** As the hub splits the headroom, anew at every look. */
function withCeilings(
  shares: readonly HandoverShare[],
  { maximum, isAutoscaled }: HandoverGoal,
): HandoverShare[] {
  if (!isAutoscaled) return shares.map((one) => ({ ...one, ceiling: one.assigned }));
  const split = ceilings(
    maximum,
    shares.map(({ city, assigned, grant, running }) => ({
      city,
      guaranteed: Math.max(assigned, grant.floor),
      takesMore: assigned > 0,
      ceiling: grant.ceiling,
      isPinned: false,
      needed: running,
      room: 100,
      tie: 0,
    })),
  );
  return shares.map((one) => ({ ...one, ceiling: split.get(one.city) ?? one.assigned }));
}

/** All cities obey at once and all that starts becomes ready, one look after the other. */
function run(
  start: readonly HandoverShare[],
  target: HandoverGoal,
  onStep: (shares: HandoverShare[]) => void,
): number {
  let shares = [...start];
  for (let steps = 0; steps < 200; steps++) {
    shares = withCeilings(shares, target);
    onStep(shares);
    const grants = handOver(shares, target);
    const isDone = grants.size === 0 && shares.every(({ ready, running }) => ready === running);
    if (isDone) return steps;
    shares = shares.map((one): HandoverShare => {
      const grant = grants.get(one.city) ?? one.grant;
      const running = Math.min(grant.ceiling, Math.max(grant.floor, one.running));
      return { ...one, grant, mayHold: grant.ceiling, running, ready: Math.min(running, one.running) };
    });
  }
  throw new Error('it does not come to an end');
}

const anyMove = fc
  .record({
    cities: fc.array(
      fc.record({ from: fc.integer({ min: 0, max: 8 }), to: fc.integer({ min: 0, max: 8 }) }),
      { minLength: 1, maxLength: 5 },
    ),
    isAutoscaled: fc.boolean(),
    extra: fc.integer({ min: 0, max: 6 }),
    used: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ cities, isAutoscaled, extra, used }) => {
    const replicas = cities.reduce((sum, { to }) => sum + to, 0);
    const before = cities.reduce((sum, { from }) => sum + from, 0);
    const maximum = isAutoscaled ? replicas + extra : replicas;
    const shares = cities.map(({ from, to }, at): HandoverShare => {
      // What the old maximum allowed beyond the guaranteed replicas is in use.
      const beyond = isAutoscaled && from > 0 && at === 0 ? Math.min(used, Math.max(0, maximum - before)) : 0;
      const grant = { floor: from, ceiling: from + beyond };
      return share(`city-${at}`, to, { grant, running: grant.ceiling, ready: grant.ceiling });
    });
    return { shares, target: goal(replicas, { maximum, isAutoscaled: isAutoscaled && replicas > 0 }) };
  });

describe('always, to the end', () => {
  test('all arrives, without a ready replica too few or a replica too many on the way', () => {
    fc.assert(
      fc.property(anyMove, ({ shares, target }) => {
        const readyOf = (of: readonly HandoverShare[]) => of.reduce((sum, { ready }) => sum + ready, 0);
        const heldOf = (of: readonly HandoverShare[]) => of.reduce((sum, { mayHold }) => sum + mayHold, 0);
        const least = Math.min(target.replicas, readyOf(shares));
        const most = Math.max(handoverLimit(target), heldOf(shares));
        let last: HandoverShare[] = [];
        run(shares, target, (now) => {
          expect(readyOf(now)).toBeGreaterThanOrEqual(least);
          expect(heldOf(now)).toBeLessThanOrEqual(most);
          last = now;
        });
        for (const { city, grant, assigned } of last)
          expect({ city, ...grant }).toMatchObject({ city, floor: assigned });
        expect(heldOf(last)).toBeLessThanOrEqual(target.maximum);
      }),
      { numRuns: 500 },
    );
  });
});
