/** A service that this cluster served itself before it was placed: both levels of the operator at work on a hub. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { resources } from '../../operator/kube/resources.ts';
import { TestOperator } from '../api/operator-in.ts';
import { cluster } from './cluster.ts';
import type { PlayedCity } from './played-city.ts';
import { RegionHub } from './region-hub.ts';

let operator: TestOperator;
let hub: RegionHub;
let porto: PlayedCity;
beforeAll(async () => {
  const city = await cluster();
  operator = await TestOperator.start(city, 'over', { isHub: true });
  hub = await RegionHub.start(city, 'over', operator.namespace);
  porto = await hub.addCity('porto', { address: 'http://porto.example' });
});
afterAll(async () => {
  await hub?.stop();
  await operator?.stop();
});

test('what it had here stays until the cities are ready, and goes then', async () => {
  await operator.applyService('traffic', {
    model: { uri: 'https://models.example/traffic' },
    replicas: 1,
    gpu: { count: 1 },
  });
  await operator.untilReason('traffic', 'Ready', 'PodsStarting');
  expect(await operator.exists(resources.Deployment, 'traffic')).toBe(true);

  porto.isUnfit = true;
  await hub.applyService('traffic', { replicas: 1 });
  await hub.until('the city has it', async () => porto.held.has(hub.key('traffic')));
  await hub.until('the hub says that it is not ready there', async () => {
    const { cities = [], conditions } = await hub.status('traffic');
    return cities.some(({ city, replicas }) => city === porto.name && replicas === 1) && !isReady(conditions);
  });
  expect(await operator.exists(resources.Deployment, 'traffic')).toBe(true);
  expect(await operator.exists(resources.Service, 'traffic')).toBe(true);

  porto.isUnfit = false;
  await hub.untilReady('traffic', 1);
  await hub.until('nothing of it is left here', async () => {
    const left = await Promise.all(
      [resources.Deployment, resources.Service].map((kind) => operator.exists(kind, 'traffic')),
    );
    return !left.includes(true);
  });
  expect((await hub.status('traffic')).readyReplicas).toBe(1);
});

function isReady(conditions: readonly { type: string; status: string }[] = []): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
