import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { OPERATOR_NAMESPACE, operatorState } from '../region/installation.ts';
import { trafficWhile } from './clients.ts';
import { installation } from './installation.ts';
import { conditionOf, ServedModel } from './served-model.ts';

/** What a person can change of an object, or lose with it. */
interface Child {
  readonly metadata: { uid: string; labels?: unknown; ownerReferences?: unknown };
  readonly spec?: Record<string, unknown>;
  readonly data?: unknown;
}

const LIGHT = { clients: 2, pauseMilliseconds: 100 };
const SMALL = { gpu: { count: 0 }, resources: { requests: { cpu: '50m', memory: '400Mi' } } };
/** An autoscaler that never acts. */
const autoscaling = { maxReplicas: 2, metrics: [{ type: 'CPU', targetPercent: 900 }] };

describe('a service with two replicas outlives', () => {
  let traffic: ServedModel;
  /** A second service, autoscaled, for what its pods feel longer. */
  let spare: ServedModel;

  beforeAll(async () => {
    const { city } = await installation();
    traffic = await ServedModel.open(city, 'chaos');
    spare = await ServedModel.inNamespace(city, traffic.namespace, 'spare');
    await traffic.apply({ ...SMALL, replicas: 2 });
    await spare.apply({ ...SMALL, replicas: 1, autoscaling });
    await traffic.untilReady(2);
    await spare.untilReady(1);
  });
  afterAll(async () => {
    await traffic?.close();
  });

  const read = async (object: string) =>
    JSON.parse(await traffic.kubectl(['get', object, '-o', 'json'])) as Child;
  /** Which pods there are, and how often their containers have been started again. */
  const livesOf = async (model: ServedModel) =>
    (await model.pods()).map(({ uid, restarts }) => ({ uid, restarts }));
  const answers = async (model: ServedModel) => {
    const count = await trafficWhile(model, async ({ untilAnswered }) => await untilAnswered(4), LIGHT);
    expect(count.failures).toEqual([]);
  };
  /** The same pods as before are there, nothing beside them, and they answer. */
  const keeps = async (model: ServedModel, before: { uid: string; restarts: number }[]) => {
    await model.city.until('no other pod is left', 60, async () => {
      return (await model.pods()).length === before.length;
    });
    expect(await livesOf(model)).toEqual(before);
    await answers(model);
  };

  test('the death of the leader in the middle of a rollout, without a failed request', async () => {
    const old = await livesOf(traffic);
    const { leader } = await operatorState(traffic.city);
    const count = await trafficWhile(
      traffic,
      async ({ untilAnswered }) => {
        await untilAnswered(10);
        await traffic.edit({
          podTemplate: { labels: { release: 'one' }, env: [{ name: 'ONE', value: '1' }] },
        });
        await traffic.city.until('the rollout has begun', 60, async () => {
          return (await traffic.pods()).some(({ labels }) => labels['release'] === 'one');
        });
        const killed = ['delete', 'pod', leader, '--force', '--grace-period=0'];
        await traffic.city.kubectl(['-n', OPERATOR_NAMESPACE, ...killed]);
        expect((await traffic.pods()).some(({ labels }) => labels['release'] === undefined)).toBe(true);
        const status = await traffic.until('the rollout is over', 120, (seen) => {
          return conditionOf(seen, 'RolledOut')?.status === 'True' && seen.readyReplicas === 2;
        });
        expect(conditionOf(status, 'Ready')?.status).toBe('True');
        await traffic.untilReady(2);
        await untilAnswered(10);
      },
      LIGHT,
    );
    expect(count.failures).toEqual([]);
    expect((await operatorState(traffic.city)).leader).not.toBe(leader);
    await traffic.city.until('no old pod is left', 60, async () => (await traffic.pods()).length === 2);
    const uids = old.map(({ uid }) => uid);
    expect((await livesOf(traffic)).filter(({ uid }) => uids.includes(uid))).toEqual([]);
    expect((await traffic.pods()).map(({ labels }) => labels['release'])).toEqual(['one', 'one']);
  });

  test.each([
    'service/traffic',
    'configmap/traffic-model',
    'networkpolicy/traffic',
    'pdb/traffic',
    'deployment/traffic',
    'serviceaccount/spare-model',
    'hpa/spare',
  ])('the deletion of %s by hand: it comes back, and the pods stay', async (object) => {
    const model = object.includes('spare') ? spare : traffic;
    const pods = await livesOf(model);
    const before = await read(object);
    // Only of a Deployment do others live; without this its pods would be meant to go.
    await traffic.kubectl(['delete', object, '--wait=false', '--cascade=orphan']);
    await traffic.city.until(`${object} is back`, 60, async () => {
      const now = await read(object);
      return now.metadata.uid !== before.metadata.uid && essence(now) === essence(before);
    });
    await keeps(model, pods);
  });

  test.each([
    [
      'service/traffic',
      'another port',
      { spec: { ports: [{ name: 'http', port: 8081, targetPort: 'http' }] } },
    ],
    [
      'service/traffic',
      'one more port',
      {
        spec: {
          ports: [
            { name: 'http', port: 80, targetPort: 'http' },
            { name: 'more', port: 8082 },
          ],
        },
      },
    ],
    ['service/traffic', 'another selector', { spec: { selector: { app: 'other' } } }],
    ['networkpolicy/traffic', 'open doors', { spec: { ingress: [{}], egress: [{}] } }],
    ['configmap/traffic-model', 'other content', { data: { 'assignment.json': '{}' } }],
    ['configmap/traffic-model', 'no owner', { metadata: { ownerReferences: null } }],
    ['pdb/traffic', 'another number', { spec: { maxUnavailable: 2 } }],
    ['pdb/traffic', 'another bound', { spec: { maxUnavailable: null, minAvailable: 0 } }],
    ['deployment/traffic', 'more replicas', { spec: { replicas: 3 } }],
    ['deployment/traffic', 'no labels', { metadata: { labels: null } }],
    ['hpa/spare', 'another ceiling', { spec: { maxReplicas: 9 } }],
  ])('an edit of %s by hand, %s: it is undone, and the pods stay', async (object, _edit, patch) => {
    const model = object.includes('spare') ? spare : traffic;
    const pods = await livesOf(model);
    const before = await read(object);
    const merge = ['patch', object, '--type=merge', '--patch', JSON.stringify(patch), '-o', 'json'];
    const edited = JSON.parse(await traffic.kubectl(merge)) as Child;
    expect(essence(edited)).not.toBe(essence(before));
    await traffic.city.until(`${object} is as it was`, 60, async () => {
      return essence(await read(object)) === essence(before);
    });
    expect((await read(object)).metadata.uid).toBe(before.metadata.uid);
    await keeps(model, pods);
  });
});

/** Apart from what the API server chooses anew for an object of the same name. */
function essence({ metadata: { labels, ownerReferences }, spec, data }: Child): string {
  const { clusterIP: _, clusterIPs: __, ...chosen } = spec ?? {};
  return JSON.stringify({ labels, ownerReferences, spec: chosen, data });
}
