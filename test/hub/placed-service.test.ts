import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { resources } from '../../operator/kube/resources.ts';
import { TestOperator } from '../api/operator-in.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions } from './region-hub.ts';

const spec = { model: { uri: 'https://models.example/traffic' }, replicas: 1, gpu: { count: 0 } };

let operator: TestOperator;
beforeAll(async () => {
  const city = await cluster();
  await installRegionDefinitions(city);
  operator = await TestOperator.start(city, 'placed');
});
afterAll(() => operator?.stop());

describe('a placed service in a cluster that is no hub', () => {
  test('gets nothing, and the status says what helps', async () => {
    await operator.applyService('traffic', { ...spec, placement: {} });
    const ready = await operator.untilReason('traffic', 'Ready', 'NoHub');
    expect(ready).toMatchObject({ status: 'False' });
    expect(ready.message).toContain('spec.placement needs a hub');
    expect(await operator.condition('traffic', 'Stalled')).toMatchObject({ status: 'True', reason: 'NoHub' });
    expect(await operator.list(resources.Deployment, 'aicity.io/service=traffic')).toEqual([]);
  });

  test('is served here as soon as the placement is gone', async () => {
    await operator.applyService('traffic', spec);
    await operator.untilReason('traffic', 'Ready', 'PodsStarting');
    expect(await operator.exists(resources.Deployment, 'traffic')).toBe(true);
  });

  test('keeps what runs when a placement comes', async () => {
    await operator.applyService('traffic', { ...spec, placement: {} });
    await operator.untilReason('traffic', 'Ready', 'NoHub');
    expect(await operator.exists(resources.Deployment, 'traffic')).toBe(true);
  });
});

test('shares are nothing to run here, and neither is told of them', async () => {
  await operator.client.create(resources.ModelService, {
    metadata: {
      name: 'share',
      namespace: operator.namespace,
      labels: { 'aicity.io/share-of-city': 'porto' },
    },
    spec,
  } as never);
  await operator.applyService('later', spec);
  await operator.untilReason('later', 'Ready', 'PodsStarting');
  expect(await operator.exists(resources.Deployment, 'share')).toBe(false);
  expect(await operator.status('share')).toEqual({});
});
