import { describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../../crds/model-service.ts';
import type { KubeClient, RawRequest } from '../../../operator/kube/client.ts';
import { regionLoadIn } from '../../../operator/reconcile/hub/region-load.ts';
import { MetricAuthorizer } from '../../../operator/reports/metrics-api/authorization.ts';
import { resourceListDocument } from '../../../operator/reports/metrics-api/discovery.ts';
import { serviceMetricList } from '../../../operator/reports/metrics-api/service-metrics.ts';
import { Store } from '../../../operator/runtime/store.ts';
import { serviceWith } from '../plan/builders.ts';
import { FakeClock } from '../runtime/fake-clock.ts';

const load = { busyPercent: 70, queueTimeMilliseconds: 12.5, replicas: 4 };
const of = (metric: string, version: 'v1beta1' | 'v1beta2' = 'v1beta2') =>
  serviceMetricList(
    { version, namespace: 'city', name: 'traffic', metric },
    load,
    new Date('2026-03-01T12:00:00Z'),
  );

describe('a metric of a whole service', () => {
  test('is the sum over its replicas, so that an autoscaler can divide it by their number', () => {
    expect(of('aicity_load')).toEqual({
      kind: 'MetricValueList',
      apiVersion: 'custom.metrics.k8s.io/v1beta2',
      metadata: {},
      items: [
        {
          describedObject: {
            kind: 'ModelService',
            namespace: 'city',
            name: 'traffic',
            apiVersion: 'aicity.io/v1alpha1',
          },
          metric: { name: 'aicity_load', selector: null },
          timestamp: '2026-03-01T12:00:00Z',
          value: '280000m',
        },
      ],
    });
    expect(of('aicity_queue_time_milliseconds', 'v1beta1')).toMatchObject({
      items: [{ metricName: 'aicity_queue_time_milliseconds', value: '50000m' }],
    });
  });

  test('that is not offered is none', () => {
    expect(of('aicity_rain')).toBeUndefined();
  });
});

describe('discovery', () => {
  const names = (hasServices: boolean) =>
    resourceListDocument('v1beta2', hasServices).resources.map(({ name }) => name);
  test('names them on a hub alone', () => {
    expect(names(false)).not.toContain('modelservices.aicity.io/aicity_load');
    expect(names(true)).toContain('modelservices.aicity.io/aicity_load');
  });
});

test('whoever asks must be allowed to read that metric of services', async () => {
  const asked: unknown[] = [];
  const request = async ({ body }: RawRequest) => {
    asked.push((body as { spec: { resourceAttributes: object } }).spec.resourceAttributes);
    return { status: { allowed: false } };
  };
  const authorizer = new MetricAuthorizer({
    client: { request } as unknown as KubeClient,
    clock: new FakeClock('2026-03-01T12:00:00Z'),
  });
  const access = { version: 'v1beta2', namespace: 'city', name: 'traffic', metric: 'aicity_load' } as const;
  const user = { username: 'a', groups: [], extra: {} };
  expect(await authorizer.mayGet(user, { ...access, resource: 'modelservices.aicity.io' })).toBe(false);
  expect(asked).toMatchObject([
    { resource: 'modelservices.aicity.io', subresource: 'aicity_load', name: 'traffic' },
  ]);
});

describe('what is known of a service', () => {
  const known = (service: ModelService) => {
    const store = new Store<ModelService>();
    store.set(service);
    return regionLoadIn(store)('city', 'traffic');
  };
  const status = { load: { busyPercent: 70, queueTimeMilliseconds: 5, reportingReplicas: 4 } };

  test('is in its status', () => {
    expect(known(serviceWith({ placement: {} }, { status }))).toEqual({ ...load, queueTimeMilliseconds: 5 });
  });

  test.each([
    ['not placed', serviceWith({}, { status })],
    [
      'not heard of',
      serviceWith({ placement: {} }, { status: { load: { ...status.load, reportingReplicas: 0 } } }),
    ],
    ['new', serviceWith({ placement: {} })],
  ])('is nothing while it is %s', (_, service) => {
    expect(known(service)).toBeUndefined();
  });
});
