import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GROUP } from '../../crds/model-service.ts';
import { OPERATOR_NAMESPACE, OPERATOR_SELECTOR, operatorState } from '../region/installation.ts';
import { citiesAreBuiltHere } from '../region/shared-city.ts';
import { city as sharedCity } from './city.ts';
import { trafficWhile } from './clients.ts';
import { conditionOf, ServedModel } from './served-model.ts';

/** What a person can change of an object, or lose with it. */
interface Child {
  readonly metadata: { uid: string; labels?: unknown; ownerReferences?: unknown };
  readonly spec?: Record<string, unknown>;
  readonly data?: unknown;
}

/** Faults of one program need the city image that is built here. */
const testWithLocalImage = citiesAreBuiltHere() ? test : test.skip;

const LIGHT = { clients: 2, pauseMilliseconds: 100 };
const SMALL = { gpu: { count: 0 }, resources: { requests: { cpu: '50m', memory: '400Mi' } } };
/** An autoscaler that never acts, not even on the processor time that a pod takes to start. */
const autoscaling = {
  maxReplicas: 2,
  metrics: [{ type: 'CPU', targetPercent: 900 }],
  behavior: { scaleUp: { selectPolicy: 'Disabled' } },
};

describe('a service with two replicas outlives', () => {
  let traffic: ServedModel;
  /** A second service, autoscaled, for what its pods feel longer. */
  let spare: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'chaos');
    spare = await ServedModel.inNamespace(city, traffic.namespace, 'spare');
    await traffic.apply({ ...SMALL, replicas: 2 });
    await spare.apply({ ...SMALL, replicas: 1, autoscaling });
    await traffic.untilReady(2);
    await spare.untilReady(1);
  });
  afterAll(async () => {
    if (!traffic) return;
    await scaleOperator(2);
    await traffic.close();
  });

  const scaleOperator = async (replicas: number) => {
    const deployment = ['deployment/aicity-operator', `--replicas=${replicas}`];
    await traffic.city.kubectl(['-n', OPERATOR_NAMESPACE, 'scale', ...deployment]);
  };
  const operatorPods = async () => {
    const pods = ['get', 'pods', '-l', OPERATOR_SELECTOR, '-o', 'name'];
    return (await traffic.city.kubectl(['-n', OPERATOR_NAMESPACE, ...pods])).split('\n').filter(Boolean);
  };
  const read = async (object: string) =>
    JSON.parse(await traffic.kubectl(['get', object, '-o', 'json'])) as Child;
  /** Which pods there are, and how often their containers have been started again. */
  const livesOf = async (model: ServedModel) =>
    (await model.pods()).map(({ uid, restarts }) => ({ uid, restarts }));
  const answers = async (model: ServedModel) => {
    const count = await trafficWhile(model, async ({ untilAnswered }) => await untilAnswered(4), LIGHT);
    expect(count.failures).toEqual([]);
  };
  /** Waits for what only an operator and replicas at work can bring about: another version, served by the same pods. */
  const untilServed = async (version: 1 | 2, timeoutSeconds = 120) => {
    // An API server that has just come back may refuse a write or two.
    await traffic.city.until('the edit is taken', 60, async () => {
      await traffic.edit({ model: { version } });
      return true;
    });
    const status = await traffic.untilReady(2, timeoutSeconds);
    expect(status.model?.version).toBe(String(version));
  };
  /** The same pods as before are there, nothing beside them, and they answer. */
  const keeps = async (model: ServedModel, before: { uid: string; restarts: number }[]) => {
    await model.untilReady(before.length);
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
    await traffic.city.until('another operator leads', 60, async () => {
      return (await operatorState(traffic.city)).leader !== leader;
    });
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

  /** Whose pods report with tokens that are refused from now on. */
  test('the deletion of its ServiceAccount by hand: it comes back, and the pods stay and serve', async () => {
    const before = await livesOf(spare);
    const account = await read('serviceaccount/spare-model');
    await spare.kubectl(['delete', 'serviceaccount/spare-model', '--wait=false']);
    await spare.city.until('it is back', 60, async () => {
      const now = await read('serviceaccount/spare-model');
      return now.metadata.uid !== account.metadata.uid && essence(now) === essence(account);
    });
    expect(await livesOf(spare)).toEqual(before);
    await answers(spare);
  });

  testWithLocalImage.each(['kube-apiserver', 'etcd'])(
    'the death of %s, and its pods do not notice',
    async (program) => {
      await traffic.untilReady(2);
      const before = await livesOf(traffic);
      const { city } = traffic;
      const killed = await city.faults.processOf(program);
      const count = await trafficWhile(
        traffic,
        async ({ untilAnswered }) => {
          await city.faults.signal(program, 'SIGKILL');
          await untilAnswered(10);
          await city.faults.untilStartedAgain(program, killed);
          await city.untilUp(120);
          await untilServed(program === 'etcd' ? 1 : 2);
        },
        LIGHT,
      );
      expect(count.failures).toEqual([]);
      await keeps(traffic, before);
    },
  );

  test('the absence of every operator: it serves on, and is taken up when one returns', async () => {
    const before = await livesOf(traffic);
    const count = await trafficWhile(
      traffic,
      async ({ untilAnswered }) => {
        await scaleOperator(0);
        await traffic.city.until('no operator is left', 120, async () => (await operatorPods()).length === 0);
        await traffic.kubectl(['delete', 'networkpolicy/traffic']);
        await untilAnswered(50);
        await scaleOperator(2);
        await untilServed(2);
        await traffic.city.until('the policy is back', 60, async () => {
          const { ownerReferences } = (await read('networkpolicy/traffic')).metadata;
          return Array.isArray(ownerReferences) && ownerReferences.length === 1;
        });
      },
      LIGHT,
    );
    expect(count.failures).toEqual([]);
    await keeps(traffic, before);
  });

  test('reports that are refused since then: the status says how to have them back, and so it is', async () => {
    await spare.until('its tokens are refused', 120, (status) => {
      const message = conditionOf(status, 'Reconciling')?.message ?? '';
      return /spare-model was deleted and made anew.*; delete the pods to have it sooner/.test(message);
    });
    await answers(spare);
    await spare.kubectl(['delete', 'pods', '-l', `${GROUP}/service=spare`]);
    await spare.untilReady(1);
  });

  test('a power cut of the whole city', async () => {
    const { spec } = await traffic.get();
    await traffic.city.faults.kill();
    await traffic.city.faults.restart();
    // The city may be reached at another address.
    traffic = await ServedModel.inNamespace(traffic.city, traffic.namespace, traffic.name);
    expect((await traffic.get()).spec).toEqual(spec);
    await untilServed(1, 180);
    await traffic.city.until('only two pods are left, and they are ready', 60, async () => {
      const pods = await traffic.pods();
      return pods.length === 2 && pods.every(({ ready }) => ready);
    });
    // Pods that were started again have other addresses, of which kube-proxy hears a moment later.
    await traffic.city.until('every request is answered', 60, async () => {
      await answers(traffic);
      return true;
    });
  });
});

/** Apart from what the API server chooses anew for an object of the same name. */
function essence({ metadata: { labels, ownerReferences }, spec, data }: Child): string {
  const { clusterIP: _, clusterIPs: __, ...chosen } = spec ?? {};
  return JSON.stringify({ labels, ownerReferences, spec: chosen, data });
}
