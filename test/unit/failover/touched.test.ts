import { describe, expect, test } from '@jest/globals';
import type { ClaimReport } from '../../../operator/plan/failover/claim.ts';
import type { CityKnowledge } from '../../../operator/plan/failover/records.ts';
import { awakeSince } from '../../../operator/plan/failover/sights.ts';
import { ALWAYS_THERE } from '../../../operator/plan/failover/steadiness.ts';
import { touchedBy } from '../../../operator/plan/failover/touched.ts';

const AWAKE = 1_000;
const claim: ClaimReport = { epoch: 1, floor: 2, ceiling: 2, running: 2, ready: 2, needed: 1 };
const porto: CityKnowledge = {
  name: 'porto',
  labels: { region: 'norte' },
  taints: [{ key: 'roof', effect: 'NoSchedule' }],
  isDraining: false,
  capacity: { gpu: 8 },
  heardAtMs: AWAKE,
  reportedAtMs: AWAKE,
  session: 's1',
  claims: new Map([
    ['a', claim],
    ['b', claim],
  ]),
  views: new Map(),
  steadiness: ALWAYS_THERE,
};

describe('what is touched', () => {
  test.each<[string, Partial<CityKnowledge>, unknown]>([
    ['nothing by a heartbeat', { heardAtMs: AWAKE + 1, reportedAtMs: AWAKE + 1 }, new Set()],
    ['nothing by what it sees of others', { views: new Map([['faro', { sees: true, atMs: 0 }]]) }, new Set()],
    [
      'nothing by the same, written anew',
      { labels: { ...porto.labels }, claims: new Map(porto.claims) },
      new Set(),
    ],
    [
      'the service whose claim has changed',
      { claims: new Map([...porto.claims, ['b', { ...claim, ready: 1 }]]) },
      new Set(['b']),
    ],
    ['a service that is new', { claims: new Map([...porto.claims, ['c', claim]]) }, new Set(['c'])],
    ['a service that is gone', { claims: new Map([['a', claim]]) }, new Set(['b'])],
    ['all by a new session', { session: 's2' }, 'All'],
    ['all by its capacity', { capacity: { gpu: 7 } }, 'All'],
    ['all by a label', { labels: { region: 'sul' } }, 'All'],
    ['all by a taint', { taints: [] }, 'All'],
    ['all by another taint', { taints: [{ key: 'roof', effect: 'NoExecute' }] }, 'All'],
    ['all by a drain', { isDraining: true }, 'All'],
    ['all by a price', { pricePerHour: 2 }, 'All'],
    ['all when it comes back', { steadiness: { ...ALWAYS_THERE, isSettling: true } }, 'All'],
    [
      'nothing when it goes: who has something there is restless',
      { steadiness: { ...ALWAYS_THERE, isAbsent: true } },
      new Set(),
    ],
  ])('%s', (_what, change, touched) => {
    expect(touchedBy(porto, { ...porto, ...change }, AWAKE)).toEqual(touched);
  });

  test('all by a city that was not known, or not heard since the hub is awake', () => {
    expect(touchedBy(undefined, porto, AWAKE)).toBe('All');
    expect(touchedBy(porto, { ...porto, reportedAtMs: AWAKE + 20 }, AWAKE + 10)).toBe('All');
    expect(touchedBy(porto, porto, AWAKE + 10)).toEqual(new Set());
  });
});

test('a hub that has not looked for a while begins to listen anew', () => {
  expect(awakeSince(undefined, 0, 7_000, 5_000)).toBe(7_000);
  expect(awakeSince(1_000, 3_000, 8_000, 5_000)).toBe(1_000);
  expect(awakeSince(1_000, 3_000, 8_001, 5_000)).toBe(8_001);
});
