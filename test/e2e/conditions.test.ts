import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Reason } from '../../crds/conditions.ts';
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import type { City } from '../region/city.ts';
import { installation } from './installation.ts';
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
const TOLD_WITHIN_SECONDS = 90;

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
    ({ city } = await installation());
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
    await city.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', 'ms/holder', '--timeout=120s']);
    await city.apply(
      listOf(...Object.entries(mistakes).map(([name, { spec }]) => serviceOf(name, namespace, spec))),
    );
  });
  afterAll(async () => {
    await city?.kubectl(['delete', 'namespace', namespace, quota, '--ignore-not-found', '--timeout=120s']);
  });

  const get = async (name: string, where = namespace): Promise<ModelService> =>
    JSON.parse(await city.kubectl(['-n', where, 'get', 'modelservice', name, '-o', 'json']));
  /** Waits for the reason of Ready, and returns its sentence. */
  const told = async (name: string, reason: Reason, where = namespace) => {
    let ready: ReturnType<typeof conditionOf>;
    await city.until(`${name} says ${reason}`, TOLD_WITHIN_SECONDS, async () => {
      const { metadata, status } = await get(name, where);
      ready = status?.observedGeneration === metadata.generation ? conditionOf(status, 'Ready') : undefined;
      if (ready && ready.reason !== reason) throw new Error(`it says ${ready.reason}: ${ready.message}`);
      return ready?.status === 'False';
    });
    return ready?.message;
  };

  test.each(Object.entries(mistakes))('%s is told in a sentence', async (name, { reason, message }) => {
    expect(await told(name, reason)).toMatch(message);
  });

  test('a full quota is told in a sentence', async () => {
    expect(await told('traffic', 'QuotaExceeded', quota)).toMatch(/exceeded quota: none.*raise the quota/);
  });

  test('that a person has to correct is Stalled, and what may heal by itself is not', async () => {
    const stalled = async (name: string) => conditionOf((await get(name)).status ?? {}, 'Stalled')?.status;
    expect(await stalled('wrong-digest')).toBe('True');
    expect(await stalled('bad-affinity')).toBe('True');
    expect(await stalled('no-host')).toBe('False');
    expect(await stalled('none-free')).toBe('False');
  });

  test('stays told while the replica tries again', async () => {
    /** Epoch milliseconds at which the replica began to load. */
    const loads = async (): Promise<number[]> => {
      const log = await city.kubectl(['-n', namespace, 'logs', 'deployment/not-found']);
      const lines = log.split('\n').filter((line) => line.includes('"loading model"'));
      return lines.map((line) => JSON.parse(line).time);
    };
    let tries: number[] = [];
    await city.until('the replica has tried five times', TOLD_WITHIN_SECONDS, async () => {
      tries = await loads();
      return tries.length >= 5;
    });
    const status = (await get('not-found')).status ?? {};
    for (const [type, is] of [
      ['ModelAvailable', 'False'],
      ['Stalled', 'True'],
    ] as const) {
      const { lastTransitionTime, ...condition } = conditionOf(status, type) ?? {};
      expect(condition).toMatchObject({ status: is, reason: 'SourceNotFound' });
      // Had a later try taken the cause back, the condition would have changed since.
      expect(Date.parse(lastTransitionTime ?? '')).toBeLessThan(tries[3] ?? 0);
    }
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
    await city.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', ...corrected, '--timeout=120s']);
  });

  test('harms nobody else: the operator has not restarted, and the other service serves on', async () => {
    expect(restartsBefore).toMatch(/ \d+\n/);
    expect(await restarts()).toBe(restartsBefore);
    expect(conditionOf((await get('holder')).status ?? {}, 'Ready')?.status).toBe('True');
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
