import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import type { KubeObject, UntypedObject } from '../../operator/kube/objects.ts';
import { resourcePath, resources } from '../../operator/kube/resources.ts';
import { systemClock } from '../../operator/runtime/clock.ts';
import { KubeEventRecorder } from '../../operator/runtime/events.ts';
import type { City } from '../region/city.ts';
import { logLines } from '../unit/runtime/log-lines.ts';
import { cluster } from './cluster.ts';

let city: City;
let client: KubeClient;
let namespace: string;
beforeAll(async () => {
  city = await cluster();
  client = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  namespace = await city.freshNamespace('client');
});
afterAll(() => client.close());

const options = { fieldManager: 'aicity-test' };
type ConfigMap = KubeObject & { readonly data?: Record<string, string> };
const configMap = (name: string, data: Record<string, string>) => ({ metadata: { name, namespace }, data });
const deployment = (name: string, spec: object = {}): UntypedObject => ({
  metadata: { name, namespace },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'c', image: 'none' }] },
    },
    ...spec,
  },
});

describe('server-side apply', () => {
  test('creates, changes, and removes what is left out', async () => {
    await client.apply(resources.ConfigMap, configMap('a', { x: '1', y: '2' }), options);
    const applied = await client.apply<ConfigMap>(resources.ConfigMap, configMap('a', { x: '3' }), options);
    expect(applied.data).toEqual({ x: '3' });
  });

  test('the same again is not even a new version', async () => {
    const first = await client.apply(resources.ConfigMap, configMap('same', { x: '1' }), options);
    const second = await client.apply(resources.ConfigMap, configMap('same', { x: '1' }), options);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  test('a field of another manager is a conflict that names it, unless forced', async () => {
    await client.apply(resources.ConfigMap, configMap('owned', { x: '1' }), { fieldManager: 'other' });
    await expect(
      client.apply(resources.ConfigMap, configMap('owned', { x: '2' }), options),
    ).rejects.toMatchObject({ kind: 'conflict', status: 409, message: expect.stringContaining('"other"') });
    const forced = await client.apply<ConfigMap>(resources.ConfigMap, configMap('owned', { x: '2' }), {
      ...options,
      force: true,
    });
    expect(forced.data).toEqual({ x: '2' });
  });

  test.each([
    ['an unknown field', { replica: 3 }, 'replica'],
    ['a wrong type', { replicas: 'three' }, 'replicas'],
    ['a value out of range', { replicas: -1 }, 'replicas'],
  ])('%s is hopeless, and the message names it', async (_, spec, field) => {
    await expect(client.apply(resources.Deployment, deployment('bad', spec), options)).rejects.toMatchObject({
      kind: 'terminal',
      message: expect.stringContaining(field),
    });
  });

  test('a dry run validates and defaults, and stores nothing', async () => {
    const tried = await client.apply<UntypedObject>(resources.Deployment, deployment('dry'), {
      ...options,
      dryRun: true,
    });
    expect(tried['spec']).toMatchObject({ strategy: { type: 'RollingUpdate' } });
    await expect(client.get(resources.Deployment, { namespace, name: 'dry' })).rejects.toMatchObject({
      kind: 'notFound',
    });
  });

  test('with a UID, an object that is gone is not made anew', async () => {
    const { metadata } = await client.apply(resources.ConfigMap, configMap('gone', {}), options);
    await client.delete(resources.ConfigMap, metadata);
    const stale = { ...configMap('gone', {}), metadata: { name: 'gone', namespace, uid: metadata.uid! } };
    await expect(client.apply(resources.ConfigMap, stale, options)).rejects.toMatchObject({
      kind: 'conflict',
    });
  });

  test.each(['ConfigMap', 'Deployment'] as const)(
    'at the first of all versions, %s is created where there is none, and else a conflict',
    async (kind) => {
      const name = `first-${kind.toLowerCase()}`;
      const bare = kind === 'ConfigMap' ? configMap(name, { x: '1' }) : deployment(name);
      const first = { ...bare, metadata: { ...bare.metadata, resourceVersion: '1' } };
      const forced = { ...options, force: true };
      const made = await client.apply(resources[kind], first, forced);
      expect(made.metadata.resourceVersion).not.toBe('1');
      await expect(client.apply(resources[kind], first, forced)).rejects.toMatchObject({ kind: 'conflict' });
      const { uid, generation } = made.metadata;
      expect(await client.get(resources[kind], { name, namespace })).toMatchObject({
        metadata: { uid, ...(generation === undefined ? {} : { generation }) },
      });
    },
  );

  test('every field of a network policy arrives', async () => {
    const spec = {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'x' } } }], ports: [{ protocol: 'TCP', port: 8080 }] },
      ],
    };
    const policy: UntypedObject = { metadata: { name: 'p', namespace }, spec };
    const stored = await client.apply<UntypedObject>(resources.NetworkPolicy, policy, options);
    expect(stored['spec']).toEqual(spec);
  });
});

describe('other verbs', () => {
  test('status is written apart from the rest', async () => {
    await client.apply(resources.Deployment, deployment('status'), options);
    const { metadata } = await client.get(resources.Deployment, { namespace, name: 'status' });
    const status: UntypedObject = {
      metadata: { name: 'status', namespace, uid: metadata.uid! },
      spec: { replicas: 99 },
      status: { conditions: [{ type: 'Test', status: 'True', reason: 'R', message: 'm' }] },
    };
    const written = await client.patchStatus<UntypedObject>(resources.Deployment, status, {
      ...options,
      method: 'merge',
    });
    expect(written['spec']).toMatchObject({ replicas: 2 });
    const { conditions } = written['status'] as { conditions: { type: string }[] };
    expect(conditions.map(({ type }) => type)).toContain('Test');
  });

  test('creating twice and replacing an old version are conflicts', async () => {
    const created = await client.create(resources.ConfigMap, configMap('twice', {}));
    await expect(client.create(resources.ConfigMap, configMap('twice', {}))).rejects.toMatchObject({
      kind: 'conflict',
      reason: 'AlreadyExists',
    });
    await client.replace(resources.ConfigMap, { ...created, data: { x: '1' } } as KubeObject);
    await expect(
      client.replace(resources.ConfigMap, { ...created, data: { x: '2' } } as KubeObject),
    ).rejects.toMatchObject({ kind: 'conflict', reason: 'Conflict' });
  });

  test('deleting takes the object that was meant, and no other', async () => {
    const { metadata } = await client.apply(resources.ConfigMap, configMap('mine', {}), options);
    await expect(client.delete(resources.ConfigMap, metadata, { uid: 'another' })).rejects.toMatchObject({
      kind: 'conflict',
    });
    await client.delete(resources.ConfigMap, metadata, { uid: metadata.uid });
    await expect(client.delete(resources.ConfigMap, metadata)).rejects.toMatchObject({ kind: 'notFound' });
  });

  test('scaling and reviewing a token go through the raw request', async () => {
    await client.apply(resources.Deployment, deployment('scaled'), options);
    const scale = await client.request<{ spec: unknown }>({
      method: 'PATCH',
      path: resourcePath(resources.Deployment, { namespace, name: 'scaled', subresource: 'scale' }),
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 5 } },
    });
    expect(scale.spec).toEqual({ replicas: 5 });
    const review = await client.request<{ status: unknown }>({
      method: 'POST',
      path: resourcePath(resources.TokenReview, {}),
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'not-a-token' } },
    });
    expect(review.status).toMatchObject({ error: expect.any(String) });
  });

  test('a kind that is not installed is not found', async () => {
    const resource = { apiVersion: 'no.such/v1', kind: 'Thing', plural: 'things', namespaced: false };
    await expect(client.list(resource)).rejects.toMatchObject({ kind: 'notFound' });
  });
});

test('a namespace that is being deleted is said to be so', async () => {
  const ending = await city.freshNamespace('ending');
  const held = { metadata: { name: 'held', namespace: ending, finalizers: ['example.org/hold'] } };
  await client.create(resources.ConfigMap, held);
  await client.delete(resources.Namespace, { name: ending });
  const refused = { metadata: { name: 'refused', namespace: ending } };
  for (const making of [
    () => client.apply(resources.ConfigMap, refused, options),
    () => client.create(resources.ConfigMap, refused),
  ]) {
    await expect(making()).rejects.toMatchObject({ status: 403, reason: 'NamespaceTerminating' });
  }
  await client.request({
    method: 'PATCH',
    path: resourcePath(resources.ConfigMap, held.metadata),
    contentType: 'application/merge-patch+json',
    body: { metadata: { finalizers: null } },
  });
});

test('refused credentials are said to be so', async () => {
  const stranger = new HttpKubeClient({
    loadConfig: () => {
      const config = fromFile(city.kubeconfigPath)();
      config.users = [{ name: config.getCurrentUser()!.name, token: 'wrong' }];
      return config;
    },
  });
  await expect(stranger.get(resources.Namespace, { name: namespace })).rejects.toMatchObject({
    kind: 'retry',
    status: 401,
  });
  await stranger.close();
});

test('events are written and counted', async () => {
  const { metadata } = await client.apply(resources.ConfigMap, configMap('told', {}), options);
  const { log, lines } = logLines();
  const events = new KubeEventRecorder({
    client,
    clock: systemClock,
    log,
    reportingController: 'aicity.io/operator',
    reportingInstance: 'operator-0',
  });
  for (let time = 0; time < 3; time += 1) {
    events.record(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata },
      { type: 'Warning', reason: 'Tested', action: 'Test', note: `${'long '.repeat(300)}` },
    );
    if (time === 0) await events.flush();
  }
  await events.flush();
  expect(lines).toEqual([]);
  const { items } = await client.list<UntypedObject>(resources.Event, { namespace });
  const told = items.filter((event) => event['reason'] === 'Tested');
  expect(told).toMatchObject([{ series: { count: 3 }, regarding: { name: 'told', uid: metadata.uid } }]);
  expect(await city.kubectl(['describe', 'configmap', 'told', '-n', namespace])).toContain('Tested');
});
