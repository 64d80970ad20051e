import { describe, expect, test } from '@jest/globals';
import { CityClusterSpec, CityClusterStatus } from '../../../crds/city-cluster.ts';
import { CITY_REASONS } from '../../../crds/city-conditions.ts';
import type { CityReportBody, ClaimStatus } from '../../../crds/city-report.ts';
import type { CitySight } from '../../../operator/plan/failover/sights.ts';
import { type CityHolding, type CitySituation, cityStatus } from '../../../operator/plan/hub/city-status.ts';
import { holdingsOf, unknownServices } from '../../../operator/plan/hub/holdings.ts';
import { cityNote } from '../../../operator/plan/hub/notes.ts';
import { KEY, NOW, recordIn, sightsIn } from './region.ts';

const nothing: CityHolding = { services: 0, guaranteed: 0, stuck: [], phases: new Set(), unknown: [] };
const claim = (running: number): ClaimStatus => ({
  epoch: 1,
  floor: running,
  ceiling: running,
  running,
  ready: running,
  needed: 0,
});
const report: CityReportBody = {
  session: 's',
  sequence: 1,
  address: 'http://porto.example',
  kubernetesVersion: 'v1.34.1',
  operatorVersion: '0.2.0',
  capacity: [
    { resource: 'cpu', total: 64, forShares: 60, used: 20 },
    { resource: 'nvidia.com/gpu', total: 8, forShares: 8, used: 5 },
  ],
  claims: { [KEY]: claim(3) },
};

interface Play {
  readonly spec?: object;
  readonly silentSeconds?: number;
  /** What faro sees of porto. */
  readonly seen?: boolean;
  readonly sight?: Partial<CitySight>;
  readonly holding?: Partial<CityHolding>;
  readonly situation?: Partial<CitySituation>;
}

function told({ spec = {}, silentSeconds = 0, seen, sight, holding, situation }: Play) {
  const sights = sightsIn({
    porto: { silentSeconds },
    faro: seen === undefined ? {} : { sees: { porto: seen } },
  });
  return cityStatus({
    city: {
      metadata: { name: 'porto', uid: 'u', generation: 4 },
      spec: CityClusterSpec.parse(spec),
    },
    report,
    sight: { ...sights.get('porto')!, ...sight },
    holding: { ...nothing, ...holding },
    isTwoAgents: false,
    lastHeardAtMs: NOW - silentSeconds * 1000,
    now: '2026-03-01T12:00:00Z',
    ...situation,
  });
}

const condition = (play: Play, type: string) => told(play).conditions!.find((one) => one.type === type)!;

test('what the city has, in one line', () => {
  const status = told({ holding: { services: 1 } });
  expect(status).toMatchObject({
    observedGeneration: 4,
    namespace: 'aicity-city-porto',
    address: 'http://porto.example',
    kubernetesVersion: 'v1.34.1',
    operatorVersion: '0.2.0',
    free: '3/8',
    services: 1,
    replicas: 3,
  });
  expect(status).not.toHaveProperty('lastHeardTime');
  expect(CityClusterStatus.parse(status)).toEqual(status);
});

test('since when it is silent', () => {
  expect(told({ silentSeconds: 120 }).lastHeardTime).toBe('2026-03-01T11:58:00Z');
});

const SETTLING = { steadiness: { isAbsent: false, isSettling: true, losses: 1, changedAtMs: NOW } };

test.each<[string, Play, string, string]>([
  ['heard', {}, 'True', 'Heard'],
  ['late', { silentSeconds: 60 }, 'Unknown', 'Late'],
  ['cut off', { silentSeconds: 60, seen: true }, 'Unknown', 'SeenByOther'],
  ['lost', { silentSeconds: 200, seen: false, holding: { phases: new Set(['Moving']) } }, 'False', 'Lost'],
  ['back', { sight: SETTLING }, 'True', 'Settling'],
  ['doubled', { situation: { isTwoAgents: true } }, 'False', 'TwoAgents'],
  ['wanted by another cluster', { situation: { contender: 'uid-2' } }, 'True', 'TwoAgents'],
  ['back, and wanted', { sight: SETTLING, situation: { contender: 'uid-2' } }, 'True', 'TwoAgents'],
  ['drained', { spec: { drain: true }, holding: { guaranteed: 3 } }, 'False', 'Draining'],
  ['with strangers', { holding: { unknown: ['city/old'] } }, 'True', 'UnknownServices'],
  [
    'in a namespace of somebody else',
    { situation: { trouble: { reason: 'NamespaceTaken', message: 'taken' } } },
    'False',
    'NamespaceTaken',
  ],
])('a city that is %s', (_, play, status, reason) => {
  expect(condition(play, 'Ready')).toMatchObject({ status, reason });
  expect(CITY_REASONS).toHaveProperty(reason);
});

test('a city that never spoke is told apart from one that is silent', () => {
  const sight = sightsIn({ porto: {} }).get('porto')!;
  const { heardAtMs: _, ...unheard } = sight.city;
  const play: Play = {
    sight: { city: unheard, isSilent: true, isLate: true },
    situation: { report: undefined },
  };
  expect(condition(play, 'Ready')).toMatchObject({ status: 'False', reason: 'NeverHeard' });
  expect(condition(play, 'Joined')).toMatchObject({ status: 'False', reason: 'NeverHeard' });
  expect(condition({}, 'Joined')).toMatchObject({ status: 'True', reason: 'Reported' });
});

test('a city whose Lease came before its report is not ready: nothing is known of its room', () => {
  const play: Play = { situation: { report: undefined } };
  expect(condition(play, 'Ready')).toMatchObject({ status: 'False', reason: 'NeverHeard' });
});

test('a hub that has just begun leaves what was told as it was, and writes nothing', () => {
  const before = told({});
  const play: Play = {
    sight: { isSilent: true },
    situation: {
      city: {
        metadata: { name: 'porto', uid: 'u', generation: 4 },
        spec: CityClusterSpec.parse({}),
        status: before,
      },
    },
  };
  expect(told(play)).toEqual(before);
});

describe('a drain', () => {
  const draining = { spec: { drain: true } };
  test.each<[string, Play, string, string, string]>([
    ['not asked for', {}, 'False', 'NotDraining', 'spec.drain is not set'],
    [
      'under way',
      { ...draining, holding: { guaranteed: 2 } },
      'False',
      'Draining',
      '3 replicas are left in porto; each leaves as soon as another is ready elsewhere',
    ],
    [
      'without another place',
      { ...draining, holding: { guaranteed: 3, stuck: ['city/traffic'] } },
      'False',
      'DrainBlocked',
      '3 replicas are left in porto: no other city has room for city/traffic',
    ],
    [
      'done',
      { ...draining, situation: { report: { ...report, claims: {} } } },
      'True',
      'Drained',
      'no replica is left in porto',
    ],
  ])('%s', (_, play, status, reason, message) => {
    expect(condition(play, 'Drained')).toMatchObject({ status, reason, message });
  });
});

describe('what is counted in a city', () => {
  test('services, guaranteed replicas, and those that have no other place', () => {
    const stuck = recordIn(
      { porto: { assigned: 0, share: { grant: { epoch: 1, session: 's', floor: 2, ceiling: 2 } } } },
      { waiting: 2 },
    );
    const holdings = holdingsOf([
      recordIn({ porto: { assigned: 3 }, faro: { assigned: 1 } }),
      { ...stuck, key: 'city/air' },
    ]);
    expect(holdings.get('porto')).toEqual({
      services: 2,
      guaranteed: 5,
      stuck: ['city/air'],
      phases: new Set(['Serving']),
    });
    expect(holdings.get('faro')).toMatchObject({ services: 1, guaranteed: 1, stuck: [] });
  });

  test('services that nobody on the hub asked for', () => {
    const claims = new Map([
      [KEY, claim(3)],
      ['city/old', claim(1)],
      ['city/gone', claim(0)],
    ]);
    expect(unknownServices(claims, (key) => key === KEY)).toEqual(['city/old']);
  });
});

test('an event is told when a city turns, and not when it stays as it is', () => {
  const [heard, late] = [told({}), told({ silentSeconds: 60 })];
  expect(cityNote(undefined, heard)).toMatchObject({ type: 'Normal', reason: 'Heard' });
  expect(cityNote(heard, late)).toMatchObject({ type: 'Warning', reason: 'Late' });
  expect(cityNote(late, late)).toBeUndefined();
});
