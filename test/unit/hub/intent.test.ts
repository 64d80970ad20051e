import { describe, expect, test } from '@jest/globals';
import { demandOf, intentOf, shortestGraceMs } from '../../../operator/plan/hub/intent.ts';
import { serviceWith } from '../plan/builders.ts';

const amounts = (spec: Parameters<typeof serviceWith>[0]) =>
  Object.fromEntries(demandOf(serviceWith(spec).spec).map(({ resource, amount }) => [resource, amount]));

describe('what a replica needs', () => {
  test.each([
    ['nothing said', {}, { cpu: 0.5, memory: 2 ** 30, 'nvidia.com/gpu': 1 }],
    ['no GPU', { gpu: { count: 0 } }, { cpu: 0.5, memory: 2 ** 30 }],
    [
      'several of a kind',
      { gpu: { count: 2, resource: 'nvidia.com/mig-1g.10gb' } },
      { cpu: 0.5, memory: 2 ** 30, 'nvidia.com/mig-1g.10gb': 2 },
    ],
    [
      'requests',
      { gpu: { count: 0 }, resources: { requests: { cpu: 2, memory: '4Gi' } } },
      { cpu: 2, memory: 2 ** 32 },
    ],
    [
      'a limit alone, which the API server requests',
      { gpu: { count: 0 }, resources: { limits: { cpu: '250m' } } },
      { cpu: 0.25, memory: 2 ** 30 },
    ],
    [
      'a request below its limit',
      { gpu: { count: 0 }, resources: { requests: { cpu: 1 }, limits: { cpu: 4 } } },
      { cpu: 1, memory: 2 ** 30 },
    ],
  ])('%s', (_, spec, expected) => {
    expect(amounts(spec)).toEqual(expected);
  });
});

describe('what is wanted', () => {
  test('of a service that is not placed, or on its way out: nothing', () => {
    expect(intentOf(serviceWith())).toBeUndefined();
    const placed = serviceWith({ placement: {} });
    const leaving = { ...placed, metadata: { ...placed.metadata, deletionTimestamp: 'now' } };
    expect(intentOf(leaving)).toBeUndefined();
  });

  test.each([
    [{ replicas: 5 }, { replicas: 5, maximum: 5, isAutoscaled: false }],
    [
      { replicas: 5, autoscaling: { maxReplicas: 9 } },
      { replicas: 5, maximum: 9, isAutoscaled: true },
    ],
  ])('%j', (spec, expected) => {
    const placement = { priority: 7 };
    expect(intentOf(serviceWith({ placement, ...spec }))).toMatchObject({
      key: 'city/traffic',
      priority: 7,
      ...expected,
    });
  });

  test('the least patient service sets the rhythm, and no service is more patient than the default', () => {
    const grace = (graceSeconds: number) =>
      intentOf(serviceWith({ placement: { failover: { graceSeconds } } }))!;
    expect(shortestGraceMs([])).toBe(90_000);
    expect(shortestGraceMs([grace(600)])).toBe(90_000);
    expect(shortestGraceMs([grace(600), grace(30), grace(60)])).toBe(30_000);
  });
});
