import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { REASONS } from '../../../crds/conditions.ts';
import { ModelServiceStatus } from '../../../crds/model-service.ts';
import { statusChange } from '../../../operator/plan/status.ts';
import { anyRecord, CITIES } from './any-record.ts';
import { placed, type RegionPlay, summaryOf } from './region.ts';

const url = (city: string) => ({ url: `http://${city}.example` });
const well: RegionPlay = {
  porto: { assigned: 3, claim: { ...url('porto'), version: '3' } },
  faro: { assigned: 2, claim: { ...url('faro'), version: '3' } },
};
const condition = (status: ReturnType<typeof summaryOf>, type: string) =>
  status.conditions!.find((one) => one.type === type)!;

describe('a service that is well', () => {
  const status = summaryOf(well);

  test('sums its cities', () => {
    expect(status).toMatchObject({
      observedGeneration: 1,
      replicas: 5,
      readyReplicas: 5,
      readyOfWanted: '5/5',
      model: { version: '3' },
      cities: [
        { city: 'faro', known: true, replicas: 2, readyReplicas: 2, guaranteed: 2, maxReplicas: 2 },
        { city: 'porto', known: true, replicas: 3, readyReplicas: 3 },
      ],
      endpoints: [
        { city: 'faro', url: 'http://faro.example', weight: 2 },
        { city: 'porto', url: 'http://porto.example', weight: 3 },
      ],
      decisions: [
        { city: 'faro', reason: 'Placed' },
        { city: 'porto', reason: 'Placed' },
      ],
    });
  });

  test('says so', () => {
    expect(status.conditions!.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`)).toEqual(
      ['Ready=True Serving', 'Reconciling=False UpToDate', 'Stalled=False UpToDate', 'Placed=True Placed'],
    );
    expect(condition(status, 'Placed').message).toBe('5 replicas have a city: faro (2), porto (3)');
  });

  test('at rest is written once', () => {
    const service = placed({}, { status });
    const again = summaryOf(well, { service, sources: { now: '2026-03-01T13:00:00Z' } });
    expect(statusChange(status, again)).toBe('None');
  });

  test('under a changing load is written only for that', () => {
    const busy = summaryOf({
      ...well,
      faro: { assigned: 2, claim: { busyPercent: 80, ...url('faro'), version: '3' } },
    });
    expect(busy.load).toMatchObject({ busyPercent: 80, reportingReplicas: 2 });
    expect(busy.cities![0]).toMatchObject({ busyPercent: 80 });
  });
});

describe('why it is not ready', () => {
  const silent = (sees?: boolean): RegionPlay => ({
    porto: { ...well['porto'], silentSeconds: 60, share: { standing: { phase: 'Suspect', sinceMs: 0 } } },
    faro: { ...well['faro'], ...(sees === undefined ? {} : { sees: { porto: sees } }) },
  });
  test.each<[string, RegionPlay, Parameters<typeof summaryOf>[1], string, string, string]>([
    [
      'a city says what is wrong',
      {
        ...well,
        porto: { assigned: 3, claim: { ready: 1, reason: 'SourceNotFound', message: 'no model there.' } },
      },
      {},
      'False',
      'SourceNotFound',
      '3 of 5 replicas are ready: porto: no model there',
    ],
    [
      'a city of another version has a reason that is not known here',
      { ...well, porto: { assigned: 3, claim: { ready: 1, reason: 'Novel', message: 'something new' } } },
      {},
      'False',
      'Progressing',
      '3 of 5 replicas are ready: porto: something new',
    ],
    [
      'a city has only begun',
      { ...well, porto: { assigned: 3, claim: { ready: 0 } } },
      {},
      'False',
      'Progressing',
      '2 of 5 replicas are ready: porto: replicas are starting',
    ],
    [
      'a city has not answered',
      { ...well, porto: { assigned: 3 } },
      {},
      'False',
      'Progressing',
      '2 of 5 replicas are ready: porto: has not taken up its share yet',
    ],
    [
      'a city waits until others have made room',
      { ...well, porto: { assigned: 3, share: { grant: { epoch: 1, session: 's', floor: 0, ceiling: 0 } } } },
      {},
      'False',
      'Moving',
      '2 of 5 replicas are ready: porto: waits until others have made room',
    ],
    [
      'replicas have no city',
      { faro: well['faro']! },
      {
        record: {
          waiting: 3,
          why: { reason: 'InsufficientCapacity', message: '3 of 5 replicas wait: no room' },
        },
      },
      'False',
      'InsufficientCapacity',
      '2 of 5 replicas are ready: 3 of 5 replicas wait: no room',
    ],
    [
      'a city serves the former model',
      { ...well, porto: { assigned: 3, claim: { revision: 'former' } } },
      {},
      'False',
      'Progressing',
      '2 of 5 replicas are ready: porto: replicas are starting',
    ],
    [
      'a city is silent',
      silent(),
      {},
      'Unknown',
      'CityNotHeard',
      '2 of 5 replicas are ready: porto is silent, and had 3 replicas ready when it was heard of last',
    ],
    [
      'a city is cut off',
      silent(true),
      {},
      'Unknown',
      'CityNotHeard',
      '2 of 5 replicas are ready: porto is silent, but another city sees it, and had 3 replicas ready when it was heard of last',
    ],
    [
      'a share is refused',
      { ...well, porto: { assigned: 3 } },
      { sources: { refusals: ['the share of porto is refused: quota'] } },
      'False',
      'InvalidSpec',
      '2 of 5 replicas are ready: the share of porto is refused: quota; porto: has not taken up its share yet',
    ],
  ])('%s', (_, region, options, value, reason, message) => {
    expect(condition(summaryOf(region, options), 'Ready')).toMatchObject({ status: value, reason, message });
  });

  test('what a person must mend is named first, and stalls', () => {
    const status = summaryOf(
      {
        braga: { assigned: 1, claim: { ready: 0, reason: 'PodsStarting', message: 'pods start' } },
        porto: { assigned: 3, claim: { ready: 0, reason: 'AccessDenied', message: 'no access' } },
      },
      {
        record: {
          waiting: 1,
          why: { reason: 'InsufficientCapacity', message: '1 of 5 replicas waits: full' },
        },
      },
    );
    expect(condition(status, 'Ready').message).toBe(
      '0 of 5 replicas are ready: porto: no access; 1 of 5 replicas waits: full; braga: pods start',
    );
    expect(condition(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'AccessDenied' });
    expect(condition(status, 'Reconciling').status).toBe('False');
  });

  test('where no city is allowed nothing more happens without a person', () => {
    const why = { reason: 'NoCityAllowed' as const, message: '5 of 5 replicas wait: no city has joined' };
    const status = summaryOf({}, { record: { waiting: 5, why } });
    expect(condition(status, 'Placed')).toMatchObject({ status: 'False', reason: 'NoCityAllowed' });
    expect(condition(status, 'Stalled').status).toBe('True');
  });

  test('a hub that has just begun does not know yet', () => {
    const why = { reason: 'CitiesNotHeard' as const, message: 'the hub has just started' };
    const status = summaryOf({}, { record: { waiting: 5, why, isProvisional: true } });
    expect(condition(status, 'Placed').status).toBe('Unknown');
    expect(condition(status, 'Stalled').status).toBe('False');
  });
});

test('the sums leave out what is not known; the figures stay, with their age', () => {
  const status = summaryOf({
    porto: { ...well['porto'], silentSeconds: 60 },
    faro: well['faro']!,
  });
  expect(status).toMatchObject({ replicas: 2, readyReplicas: 2 });
  expect(status.cities).toContainEqual(
    expect.objectContaining({
      city: 'porto',
      known: false,
      readyReplicas: 3,
      lastHeardTime: '2026-03-01T11:59:00Z',
    }),
  );
  expect(status.cities![0]).not.toHaveProperty('lastHeardTime');
});

test('no replica wanted is well', () => {
  expect(condition(summaryOf({}, { service: placed({ replicas: 0 }) }), 'Ready')).toMatchObject({
    status: 'True',
    reason: 'ScaledToZero',
  });
});

test('whatever the hub remembers, the definition allows its status, and every reason is in the list', () => {
  const region = Object.fromEntries(CITIES.map((city) => [city, well[city] ?? { assigned: 1 }]));
  fc.assert(
    fc.property(anyRecord, ({ shares, ...record }) => {
      const status = summaryOf(region, { record: { ...record, shares } });
      const stored = JSON.parse(JSON.stringify(status));
      expect(ModelServiceStatus.parse(stored)).toEqual(stored);
      for (const { reason } of status.conditions!) expect(REASONS).toHaveProperty(reason);
      for (const { weight } of status.endpoints ?? []) expect(weight).toBeGreaterThan(0);
    }),
  );
});
