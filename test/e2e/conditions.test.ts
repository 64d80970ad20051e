import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Reason } from '../../crds/conditions.ts';
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import type { City } from '../region/city.ts';
import { OPERATOR_NAMESPACE } from '../region/installation.ts';
import { city as sharedCity } from './city.ts';
import { conditionOf, type Fields } from './served-model.ts';

/** A mistake that the API server accepts, and what its owner is to read about it. */
interface Mistake {
  readonly spec: Fields;
  readonly reason: Reason;
  readonly message: RegExp;
}

const STORE = 'http://model-store.models.svc';
const pod = (podTemplate: Fields): Fields => ({ podTemplate });
const model = (more: Fields): Fields => ({ model: { uri: `${STORE}/traffic`, ...more } });

const mistakes: Readonly<Record<string, Mistake>> = {
  // the model
  'not-found': {
    spec: model({ uri: `${STORE}/nothing-here` }),
    reason: 'SourceNotFound',
    message:
      /cannot serve spec\.model\.uri http:\S+nothing-here: there is neither model\.json.*give the directory of the model itself in spec\.model\.uri/,
  },
  'no-version': {
    spec: model({ version: 99 }),
    reason: 'VersionNotFound',
    message:
      /neither model\.json nor saved_model\.pb at \S+traffic\/99\/: correct spec\.model\.version, which is 99, or spec\.model\.uri/,
  },
  'other-format': {
    spec: model({ version: 1, format: 'SavedModel' }),
    reason: 'FormatUnknown',
    message: /traffic\/1\/ holds model\.json and no saved_model\.pb.*remove spec\.model\.format/,
  },
  'no-host': {
    spec: model({ uri: 'http://no-such-host.models.svc/traffic' }),
    reason: 'SourceUnreachable',
    message: /no-such-host\S+ cannot be reached: its host name is not known to DNS/,
  },
  'no-listener': {
    spec: model({ uri: 'http://kubernetes.default.svc:444/traffic' }),
    reason: 'SourceUnreachable',
    message: /kubernetes\.default\.svc:444\S+ cannot be reached: nothing listens there/,
  },
  'wrong-digest': {
    spec: model({ version: 1, digest: `sha256:${'0'.repeat(64)}` }),
    reason: 'DigestMismatch',
    message:
      /have the digest sha256:[1-9a-f]\S+ and spec\.model\.digest is sha256:0{64}.*change spec\.model\.digest/,
  },
  // places for the pods
  'no-device': {
    spec: { gpu: { count: 1, resource: 'example.com/tpu' } },
    reason: 'InsufficientGPU',
    message: /no node offers example\.com\/tpu \(they offer nvidia\.com\/gpu\).*spec\.gpu\.resource/,
  },
  'too-large': {
    spec: { gpu: { count: 9 } },
    reason: 'InsufficientGPU',
    message: /no node has 9 nvidia\.com\/gpu, the largest has 8; lower spec\.gpu\.count/,
  },
  'none-free': {
    spec: { gpu: { count: 4 } },
    reason: 'InsufficientGPU',
    message: /no node has 4 free nvidia\.com\/gpu; \d of 8 are used by .*holder \(6\)/,
  },
  'no-claim': {
    spec: model({ uri: 'pvc://no-such-claim/traffic' }),
    reason: 'Unschedulable',
    message:
      /persistentvolumeclaim "no-such-claim" not found.*create or bind the claim, or correct spec\.model\.uri/,
  },
  'no-node': {
    spec: pod({ nodeSelector: { 'example.org/zone': 'moon' } }),
    reason: 'Unschedulable',
    message:
      /didn't match Pod's node affinity\/selector.*label a node as spec\.podTemplate\.nodeSelector asks, or correct it/,
  },
  // pods and containers
  'no-class': {
    spec: pod({ priorityClassName: 'no-such-class' }),
    reason: 'PodsRefused',
    message:
      /no PriorityClass with name no-such-class.*correct spec\.podTemplate\.priorityClassName, which is no-such-class/,
  },
  'no-account': {
    spec: pod({ serviceAccountName: 'no-such-account' }),
    reason: 'PodsRefused',
    message:
      /serviceaccount "no-such-account" not found.*correct spec\.podTemplate\.serviceAccountName, which is no-such-account/,
  },
  'no-secret': {
    spec: pod({
      env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'no-such-secret', key: 'token' } } }],
    }),
    reason: 'ContainerConfigInvalid',
    message: /secret "no-such-secret" not found.*check spec\.podTemplate/,
  },
  'small-memory': {
    spec: { resources: { requests: { cpu: '10m', memory: '24Mi' }, limits: { memory: '24Mi' } } },
    reason: 'OutOfMemory',
    message: /raise spec\.resources\.limits\.memory, which is 24Mi/,
  },
  // objects that the API server refuses
  'bad-affinity': {
    spec: pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'Within', values: ['a'] }] }],
          },
        },
      },
    }),
    reason: 'InvalidSpec',
    message: /affinity\.nodeAffinity.*Invalid value: "Within".*correct the field of the ModelService/,
  },
  'two-sources': {
    spec: pod({
      env: [
        {
          name: 'TOKEN',
          valueFrom: {
            secretKeyRef: { name: 'some', key: 'token' },
            fieldRef: { fieldPath: 'metadata.name' },
          },
        },
      ],
    }),
    reason: 'InvalidSpec',
    message: /valueFrom.*may not have more than one field.*correct the field of the ModelService/,
  },
  'taken-name': {
    spec: {},
    reason: 'NameConflict',
    message: /Service \S+\/taken-name exists already and belongs to somebody else: rename or remove it/,
  },
};

/** Far more than it takes: a container has to be killed a few times, DNS to give up. */
const TOLD_WITHIN_SECONDS = 180;

describe('a mistake that the API server accepts', () => {
  let city: City;
  let namespace: string;
  let quota: string;
  /** Of the operator's containers, by pod. Earlier tests may have killed them. */
  let restartsBefore: string;

  const restarts = async () => {
    const counts =
      '{range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';
    const pods = ['get', 'pods', '-A', '-l', 'app.kubernetes.io/name=aicity-operator'];
    return await city.kubectl([...pods, '-o', `jsonpath=${counts}`]);
  };

  beforeAll(async () => {
    city = await sharedCity();
    restartsBefore = await restarts();
    namespace = await city.freshNamespace('mistakes');
    quota = await city.freshNamespace('quota');
    await city.apply(
      listOf(
        {
          ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'taken-name', namespace } },
          spec: { ports: [{ port: 80 }] },
        },
        {
          ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none', namespace: quota } },
          spec: { hard: { pods: '0' } },
        },
        serviceOf('holder', namespace, { gpu: { count: 6 } }),
        serviceOf('traffic', quota, {}),
      ),
    );
    await city.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', 'ms/holder', '--timeout=180s']);
    await city.apply(
      listOf(...Object.entries(mistakes).map(([name, { spec }]) => serviceOf(name, namespace, spec))),
    );
  });
  afterAll(async () => {
    if (!quota) return;
    const namespaces = ['delete', 'namespace', namespace, quota, '--ignore-not-found'];
    await city.kubectl([...namespaces, '--wait=false']);
    // Nobody asks them any more, and twenty at once would take their time to end.
    await city.kubectl(['-n', namespace, 'delete', 'pods', '--all', '--force', '--grace-period=0']);
    await city.kubectl([...namespaces, '--timeout=180s']);
  });

  const get = async (name: string, where = namespace): Promise<ModelService> =>
    JSON.parse(await city.kubectl(['-n', where, 'get', 'modelservice', name, '-o', 'json']));
  /** Waits until Ready is false for the reason and says the sentence, parts of which may be known a little later. */
  const untilTold = async (name: string, reason: Reason, message: RegExp, where = namespace) =>
    await city.until(`${name} says ${reason}`, TOLD_WITHIN_SECONDS, async () => {
      const { metadata, status } = await get(name, where);
      const ready = status?.observedGeneration === metadata.generation && conditionOf(status, 'Ready');
      if (!ready) return false;
      if (ready.status === 'False' && ready.reason === reason && message.test(ready.message)) return true;
      throw new Error(`Ready is ${ready.status}, and it says ${ready.reason}: ${ready.message}`);
    });

  test.each(Object.entries(mistakes))('%s is told in a sentence', async (name, { reason, message }) => {
    await untilTold(name, reason, message);
  });

  test('a full quota is told in a sentence', async () => {
    await untilTold('traffic', 'QuotaExceeded', /exceeded quota: none.*raise the quota/, quota);
  });

  test.each([
    ['wrong-digest', 'True'],
    ['bad-affinity', 'True'],
    ['no-host', 'False'],
    ['none-free', 'False'],
  ])('that a person has to correct is Stalled, and what may heal by itself is not: %s', async (name, is) => {
    const { reason, message } = mistakes[name]!;
    await untilTold(name, reason, message);
    await city.until(`Stalled is ${is}`, 60, async () => {
      return conditionOf((await get(name)).status ?? {}, 'Stalled')?.status === is;
    });
  });

  test('stays told while the replica tries again', async () => {
    /** Epoch milliseconds at which the replica began to load. */
    const loads = async (): Promise<number[]> => {
      const log = await city.kubectl(['-n', namespace, 'logs', 'deployment/not-found']);
      const lines = log.split('\n').filter((line) => line.includes('"loading model"'));
      return lines.map((line) => JSON.parse(line).time);
    };
    const judged = async () => {
      const status = (await get('not-found')).status ?? {};
      return (['ModelAvailable', 'Stalled'] as const).map((type) => {
        const { status: is, reason, lastTransitionTime = '' } = conditionOf(status, type) ?? {};
        return { is, reason, lastTransitionTime };
      });
    };
    const { reason, message } = mistakes['not-found']!;
    await untilTold('not-found', reason, message);
    const before = await judged();
    expect(before).toMatchObject([
      { is: 'False', reason },
      { is: 'True', reason },
    ]);
    const since = Math.max(...before.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime)));
    await city.until('the replica has tried three times more', TOLD_WITHIN_SECONDS, async () => {
      return (await loads()).filter((at) => at > since).length >= 3;
    });
    // Had a later try taken the cause back, the conditions would have changed since.
    expect(await judged()).toEqual(before);
  });

  test('is forgotten once it is corrected', async () => {
    const correct = async (name: string, spec: Fields) =>
      await city.kubectl([
        ...['-n', namespace, 'patch', 'modelservice', name, '--type=merge'],
        ...['--patch', JSON.stringify({ spec })],
      ]);
    await correct('wrong-digest', { model: { digest: null } });
    await correct('bad-affinity', { podTemplate: { affinity: null } });
    await correct('no-secret', { podTemplate: { env: null } });
    await city.kubectl(['-n', namespace, 'delete', 'service', 'taken-name']);
    const corrected = ['wrong-digest', 'bad-affinity', 'no-secret', 'taken-name'].map((name) => `ms/${name}`);
    await city.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', ...corrected, '--timeout=240s']);
  });

  test('harms nobody else: the operator has not restarted, and the other service serves on', async () => {
    expect(restartsBefore).toMatch(/ \d+\n/);
    const before = restartsBefore.split('\n');
    const restarted = (await restarts()).split('\n').filter((pod) => !before.includes(pod));
    for (const pod of restarted) {
      const logs = ['logs', pod.split(' ')[0]!, '--previous', '--tail=20'];
      // By design, where a busy machine keeps a leader from renewing its lease for ten seconds.
      expect(await city.kubectl(['-n', OPERATOR_NAMESPACE, ...logs])).toContain('leadership was lost');
    }
    await city.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', 'ms/holder', '--timeout=60s']);
  });
});

function serviceOf(name: string, namespace: string, spec: Fields) {
  return {
    apiVersion: API_VERSION,
    kind: 'ModelService',
    metadata: { name, namespace },
    spec: {
      ...model({ version: 1 }),
      replicas: 1,
      gpu: { count: 0 },
      resources: { requests: { cpu: '10m', memory: '100Mi' } },
      ...spec,
    },
  };
}

function listOf(...items: unknown[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
