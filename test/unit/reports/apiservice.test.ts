import { beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { errorFromStatus } from '../../../operator/kube/errors.ts';
import type { ObjectName, UntypedObject } from '../../../operator/kube/objects.ts';
import type { Resource } from '../../../operator/kube/resources.ts';
import { MetricsRegistration } from '../../../operator/reports/apiservice.ts';
import { FakeClock, settle } from '../runtime/fake-clock.ts';

const OLDER = 'v1beta1.custom.metrics.k8s.io';
const NEWER = 'v1beta2.custom.metrics.k8s.io';
const fail = (code: number) => errorFromStatus(code, { message: `HTTP ${code}` }, 'test');
const registeredBy = (name: string, service: object | null): UntypedObject => ({
  metadata: { name, uid: name },
  spec: { service },
});

describe('MetricsRegistration', () => {
  let clock: FakeClock;
  let objects: Map<string, UntypedObject>;
  let writes: string[];
  let failWith: number | undefined;
  let caBundle: string | undefined;
  beforeEach(() => {
    clock = new FakeClock();
    objects = new Map();
    writes = [];
    failWith = undefined;
    caBundle = 'PEM';
  });

  function registration({ enabled = true } = {}): MetricsRegistration {
    const client = {
      async get({ kind }: Resource, { name }: ObjectName) {
        if (failWith !== undefined) throw fail(failWith);
        if (kind === 'ClusterRole') return { metadata: { name, uid: 'role-uid' } };
        const found = objects.get(name);
        if (!found) throw fail(404);
        return found;
      },
      async apply(_: Resource, object: UntypedObject, { force }: { force?: boolean }) {
        writes.push(`apply ${object.metadata.name}${force ? ' with force' : ''}`);
        objects.set(object.metadata.name, object);
        return object;
      },
      async delete(_: Resource, { name }: ObjectName, { uid }: { uid?: string }) {
        writes.push(`delete ${name} of uid ${uid}`);
        objects.delete(name);
      },
    } as unknown as KubeClient;
    return new MetricsRegistration({
      client,
      clock,
      log: pino({ level: 'silent' }),
      enabled,
      service: { namespace: 'aicity', name: 'aicity-operator' },
      caBundlePem: () => caBundle,
      ownerClusterRole: 'aicity-operator-metrics-adapter',
    });
  }

  test('registers both versions with the authority and an owner, without taking anything from anybody', async () => {
    const ours = registration();
    await ours.look(true);
    expect(writes).toEqual([`apply ${NEWER}`, `apply ${OLDER}`]);
    expect(objects.get(NEWER)).toEqual({
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: {
        name: NEWER,
        labels: { 'app.kubernetes.io/managed-by': 'aicity-operator' },
        ownerReferences: [
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'ClusterRole',
            name: 'aicity-operator-metrics-adapter',
            uid: 'role-uid',
          },
        ],
      },
      spec: {
        group: 'custom.metrics.k8s.io',
        version: 'v1beta2',
        groupPriorityMinimum: 100,
        versionPriority: 200,
        service: { namespace: 'aicity', name: 'aicity-operator', port: 443 },
        caBundle: Buffer.from('PEM').toString('base64'),
      },
    });
    expect(ours.owner).toBe('ours');
    await ours.look(true);
    expect(writes).toHaveLength(2);
  });

  test('a renewed authority is written over the old one', async () => {
    const ours = registration();
    await ours.look(true);
    caBundle = 'NEW PEM';
    await ours.look(true);
    expect(writes.slice(2)).toEqual([`apply ${NEWER} with force`, `apply ${OLDER} with force`]);
  });

  test('waits for certificates, and a follower writes nothing', async () => {
    caBundle = undefined;
    await registration().look(true);
    caBundle = 'PEM';
    const follower = registration();
    await follower.look(false);
    expect([writes, follower.owner]).toEqual([[], 'ours']);
  });

  test.each<[string, object | null, string]>([
    ['a service', { namespace: 'monitoring', name: 'prometheus-adapter' }, 'monitoring/prometheus-adapter'],
    ['our name in another namespace', { namespace: 'old', name: 'aicity-operator' }, 'old/aicity-operator'],
    ['no service at all', null, OLDER],
  ])("another's registration with %s stays, and ours goes", async (_, service, name) => {
    const ours = registration();
    const heard: string[] = [];
    ours.onChange((owner) => heard.push(owner));
    await ours.look(true);
    objects.set(NEWER, { ...objects.get(NEWER)!, metadata: { name: NEWER, uid: 'ours' } });
    objects.set(OLDER, registeredBy(OLDER, service));
    writes = [];
    await ours.look(true);
    await ours.look(true);
    expect(writes).toEqual([`delete ${NEWER} of uid ours`]);
    expect([ours.owner, ours.otherService, heard]).toEqual(['other', name, ['ours', 'other']]);
    objects.clear();
    await ours.look(true);
    expect([ours.owner, ours.otherService, heard]).toEqual(['ours', undefined, ['ours', 'other', 'ours']]);
  });

  test('turned off, it is ready at once, reads nothing and owns nothing', async () => {
    failWith = 403;
    const off = registration({ enabled: false });
    await off.ready;
    await off.look(true);
    expect([off.owner, writes]).toEqual(['none', []]);
  });

  test('an API server that does not tell holds nobody up for more than half a minute, and is asked again', async () => {
    failWith = 403;
    const ours = registration();
    const stop = new AbortController();
    let isReady = false;
    void ours.ready.then(() => {
      isReady = true;
    });
    const running = ours.run(stop.signal, () => true);
    await clock.advance(20);
    expect(isReady).toBe(false);
    await clock.advance(10);
    expect([isReady, ours.owner]).toEqual([true, 'none']);
    failWith = undefined;
    await clock.advance(5);
    expect(ours.owner).toBe('ours');
    stop.abort();
    await settle();
    await running;
  });
});
