import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../crds/model-service.ts';
import { REGION_ANNOTATIONS, REGION_LABELS } from '../../crds/region.ts';
import { resources } from '../../operator/kube/resources.ts';
import { TestAgent } from './agent-in.ts';
import { cluster } from './cluster.ts';
import { HubByHand } from './hub-by-hand.ts';

let hub: HubByHand;
let city: TestAgent;
beforeAll(async () => {
  hub = await HubByHand.start(await cluster(), 'porto', { heartbeatSeconds: 10 });
  city = await TestAgent.start(await cluster(), hub);
});
afterAll(async () => {
  await city?.stop();
  await hub?.stop();
});

const uri = 'https://models.example/traffic';

async function service(name: string): Promise<ModelService> {
  return await city.operator.get<ModelService>(resources.ModelService, name);
}

describe('a share', () => {
  test('becomes a ModelService of the city, and what becomes of it is reported', async () => {
    const key = city.key('traffic');
    const grant = await hub.grant(key, 2);
    await city.operator.until('it is mirrored', () =>
      city.operator.exists(resources.ModelService, 'traffic'),
    );
    const { metadata, spec } = await service('traffic');
    expect(metadata.labels).toMatchObject({ [REGION_LABELS.fromHub]: 'true' });
    expect(JSON.parse(metadata.annotations![REGION_ANNOTATIONS.grant]!)).toEqual(grant);
    expect(spec).toMatchObject({ replicas: 2, model: { uri } });
    await city.operator.until('its pods exist', async () => {
      return (await city.operator.list(resources.Pod, 'aicity.io/service=traffic')).length === 2;
    });
    await city.operator.letPodsServe('traffic', uri);
    await hub.until('the hub knows that they serve', async () => (await hub.claim(key))?.ready === 2);
    expect(await hub.claim(key)).toMatchObject({
      epoch: grant.epoch,
      floor: 2,
      ceiling: 2,
      running: 2,
      reason: 'Serving',
      version: '3',
    });
    const { annotations } = (await hub.lease()).metadata;
    expect(annotations).toMatchObject({ [REGION_ANNOTATIONS.session]: grant.session });
  });
});
