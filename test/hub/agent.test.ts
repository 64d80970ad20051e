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
  await (await cluster()).kubectl(['delete', 'citycluster', hub.city, '--ignore-not-found', '--wait=false']);
  await hub?.stop();
});

const uri = 'https://models.example/traffic';

async function service(name: string): Promise<ModelService> {
  return await city.operator.get<ModelService>(resources.ModelService, name);
}

async function untilSpec(name: string, wanted: object): Promise<void> {
  await city.operator.until(`${name} has ${JSON.stringify(wanted)}`, async () => {
    expect((await service(name)).spec).toMatchObject(wanted);
    return true;
  });
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
    await hub.until('the hub knows that they serve', async () => {
      expect(await hub.claim(key)).toMatchObject({
        ...{ epoch: grant.epoch, floor: 2, ceiling: 2 },
        ...{ running: 2, ready: 2, reason: 'Serving', version: '3' },
      });
      return true;
    });
    // The heartbeat names the report, whichever session a slow machine may have come to.
    expect(await hub.session()).toBe((await hub.report())?.session);
  });
});

describe('what is mirrored', () => {
  test('follows the share in all that is no bound, also without a new grant', async () => {
    const key = city.key('follows');
    const grant = await hub.grant(key, 1);
    await untilSpec('follows', { replicas: 1 });
    const model = { uri: 'https://models.example/other' };
    await hub.writeShare(key, { ...grant, floor: 3, ceiling: 3 }, { model, replicas: 3 });
    await untilSpec('follows', { replicas: 1, model });
    await hub.grant(key, 2, { spec: { model } });
    await untilSpec('follows', { replicas: 2, model });
  });

  test('is set back when it is edited by hand, marks and added fields too', async () => {
    const key = city.key('edited');
    const grant = await hub.grant(key, 1);
    await untilSpec('edited', { replicas: 1 });
    const env = [{ name: 'MINE', value: '1' }];
    await city.operator.patch('ms', 'edited', { spec: { replicas: 4, podTemplate: { env } } });
    await untilSpec('edited', { replicas: 1 });
    await city.operator.until('what was added is gone', async () => {
      return !('podTemplate' in (await service('edited')).spec);
    });
    await city.operator.kubectl('annotate', 'ms', 'edited', `${REGION_ANNOTATIONS.grant}-`);
    await city.operator.kubectl('label', 'ms', 'edited', `${REGION_LABELS.fromHub}-`);
    await city.operator.until('it is marked again', async () => {
      const { annotations = {}, labels = {} } = (await service('edited')).metadata;
      return REGION_ANNOTATIONS.grant in annotations && REGION_LABELS.fromHub in labels;
    });
    await city.operator.kubectl('delete', 'ms', 'edited');
    await untilSpec('edited', { replicas: 1 });
    await hub.until('the hub knows', async () => (await hub.claim(key))?.epoch === grant.epoch);
  });

  test('keeps below a ceiling that is lowered, and without autoscaling all counts at once', async () => {
    const key = city.key('scaled');
    await hub.grant(key, 1, { ceiling: 4 });
    await untilSpec('scaled', { replicas: 1, autoscaling: expect.objectContaining({ maxReplicas: 4 }) });
    await hub.until('the hub knows', async () => (await hub.claim(key))?.ceiling === 4);
    await hub.grant(key, 2);
    await untilSpec('scaled', { replicas: 2 });
    expect((await service('scaled')).spec).not.toHaveProperty('autoscaling');
    await city.operator.until('two pods are left', async () => {
      const { spec } = await city.operator.get<{ spec: { replicas: number } }>(
        resources.Deployment,
        'scaled',
      );
      return spec.replicas === 2;
    });
  });

  test("never takes over a service of the city's own; the hub is told in a sentence", async () => {
    const key = city.key('own');
    await city.operator.applyService('own', { model: { uri }, replicas: 1, gpu: { count: 0 } });
    const grant = await hub.grant(key, 3);
    await hub.until('the hub is told', async () => (await hub.claim(key))?.reason === 'NameConflict');
    expect(await hub.claim(key)).toMatchObject({ epoch: grant.epoch, running: 0, ready: 0 });
    expect((await hub.claim(key))?.message).toMatch(
      /ModelService .*\/own exists in the city and is not from the hub; rename/,
    );
    expect((await service('own')).spec.replicas).toBe(1);
    await hub.grant(key, 0);
    expect((await hub.claim(key))?.ceiling).toBe(0);
    await hub.removeShare(key);
    await hub.until('nothing more is said of it', async () => (await hub.claim(key)) === undefined);
    expect((await service('own')).spec.replicas).toBe(1);
  });

  test('does not run in the namespaces of the cluster', async () => {
    await hub.grant('kube-system/evil', 1);
    await hub.until(
      'the hub is told',
      async () => (await hub.claim('kube-system/evil'))?.reason === 'NamespaceProtected',
    );
  });

  test('is told when the cluster refuses it', async () => {
    const key = `${city.namespace}/Refused`;
    await hub.grant(key, 1);
    await hub.until('the hub is told', async () => (await hub.claim(key))?.reason === 'InvalidSpec');
  });

  test('is deleted when it is withdrawn, and reported until nothing runs', async () => {
    const key = city.key('withdrawn');
    const pods = () => city.operator.list(resources.Pod, 'aicity.io/service=withdrawn');
    await hub.grant(key, 1);
    await city.operator.until('its pod exists', async () => (await pods()).length === 1);
    await city.operator.letPodsServe('withdrawn', uri);
    await hub.until('it serves', async () => (await hub.claim(key))?.ready === 1);
    // It runs for as long as it takes to look at that.
    const [pod] = await pods();
    const hold = async (finalizers: string[]) => {
      await city.operator.patch('pod', pod!.metadata.name, { metadata: { finalizers } });
    };
    await hold(['example.org/looked-at']);
    const { epoch } = await hub.grant(key, 0);
    expect(await hub.claim(key)).toMatchObject({ epoch, floor: 0, ceiling: 0, running: 1, ready: 0 });
    await city.operator.until(
      'it is gone',
      async () => !(await city.operator.exists(resources.ModelService, 'withdrawn')),
    );
    expect((await hub.claim(key))?.running).toBe(1);
    await hold([]);
    await hub.until('nothing runs', async () => (await hub.claim(key))?.running === 0);
    expect(await hub.claim(key)).toMatchObject({ epoch, floor: 0, ceiling: 0 });
    await hub.removeShare(key);
    await hub.until('nothing more is said of it', async () => (await hub.claim(key)) === undefined);
  });

  test('stays when its share is lost: what is missing is no instruction', async () => {
    const key = city.key('lost');
    const { epoch } = await hub.grant(key, 1);
    await untilSpec('lost', { replicas: 1 });
    await hub.removeShare(key);
    // A later share is obeyed, so the loss was seen before it.
    await hub.grant(city.key('after'), 1);
    await untilSpec('after', { replicas: 1 });
    expect((await service('lost')).metadata).not.toHaveProperty('deletionTimestamp');
    await hub.until('the hub still hears of it', async () => (await hub.claim(key))?.epoch === epoch);
    expect(await hub.claim(key)).toMatchObject({ floor: 1, ceiling: 1 });
  });
});

describe('an agent that is replaced', () => {
  test('finds what was agreed, obeys nothing that was decided before, and then the next grant', async () => {
    const key = city.key('kept');
    const grant = await hub.grant(key, 2);
    await untilSpec('kept', { replicas: 2 });
    // What is said of it was read in the city's copy, in which the next agent looks.
    await hub.until('it is reported', async () => (await hub.claim(key))?.reason !== undefined);
    const before = await hub.session();
    await city.halt();
    const { generation, uid } = (await service('kept')).metadata;
    await hub.writeShare(key, { ...grant, epoch: grant.epoch + 1000, floor: 9, ceiling: 9 });
    const fenced = city.counted.grants.fenced;
    city.run();
    await hub.until('it has begun a new session', async () => (await hub.session()) !== before);
    await hub.until('the late grant was judged', async () => city.counted.grants.fenced > fenced);
    expect(await hub.claim(key)).toMatchObject({ epoch: grant.epoch, floor: 2, ceiling: 2 });
    expect((await service('kept')).metadata).toMatchObject({ generation, uid });
    await hub.grant(key, 1);
    await untilSpec('kept', { replicas: 1 });
  });
});

describe('the token', () => {
  test('when it is taken back the city goes on, says what helps, and speaks again with a new one', async () => {
    const key = city.key('tokenless');
    await hub.grant(key, 1);
    await untilSpec('tokenless', { replicas: 1 });
    await hub.revokeToken();
    await hub.until('it is refused', async () => city.counted.connection === 'Refused');
    await city.operator.patch('ms', 'tokenless', { spec: { replicas: 5 } });
    await untilSpec('tokenless', { replicas: 1 });
    await hub.until('it is told', async () => {
      const events = await city.kubectl('get', 'events', '-n', 'aicity-system', '-o', 'json');
      return events.includes('the token of city porto was revoked');
    });
    const before = (await hub.lease()).spec?.renewTime;
    await hub.giveToken();
    await hub.until('it is heard again', async () => (await hub.lease()).spec?.renewTime !== before);
    await hub.until('it knows', async () => city.counted.connection === 'Connected');
  }, 300_000);
});
