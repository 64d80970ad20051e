import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cityNamespace } from '../../crds/region.ts';
import type { RawRequest } from '../../operator/kube/client.ts';
import { isKubeError, type KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { type Manifest, renderObjects } from '../api/helm.ts';
import { untilFurnished } from '../api/readiness.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { TestHub } from './hub-in.ts';

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
/** Verbs that are rights of their own on some kinds. */
const SPECIAL = [
  ['bind', 'rbac.authorization.k8s.io', 'clusterroles'],
  ['escalate', 'rbac.authorization.k8s.io', 'clusterroles'],
  ['escalate', 'rbac.authorization.k8s.io', 'roles'],
  ['impersonate', '', 'users'],
  ['impersonate', '', 'groups'],
  ['impersonate', '', 'serviceaccounts'],
  ['use', 'policy', 'podsecuritypolicies'],
  ['approve', 'certificates.k8s.io', 'signers'],
  ['sign', 'certificates.k8s.io', 'signers'],
] as const;

interface Question {
  readonly verb: string;
  readonly group: string;
  /** `plural` or `plural/subresource`. */
  readonly resource: string;
  readonly name?: string;
}

const OWN = [
  'get aicity.io/cityreports city',
  'get aicity.io/modelservices',
  'get coordination.k8s.io/leases heartbeat',
  'list aicity.io/modelservices',
  'patch aicity.io/cityreports city',
  'patch coordination.k8s.io/leases heartbeat',
  'update coordination.k8s.io/leases heartbeat',
  'watch aicity.io/modelservices',
];

/** What roles cannot express of the rights of a city. */
async function policies(): Promise<Manifest[]> {
  const objects = await renderObjects(['hub.enabled=true']);
  return objects.filter(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy'));
}

/** What somebody can do who has stolen the token of a city. */
describe('the token of a city', () => {
  let city: City;
  let hub: TestHub;
  let client: KubeClient;
  let own: string;
  let other: string;
  let ownCity: string;
  let asked: Question[];
  /** What every account of the cluster may do, whoever made it. */
  let anybody: string[];

  beforeAll(async () => {
    city = await cluster();
    hub = await TestHub.start(city);
    const items = await policies();
    expect(items).toHaveLength(2);
    await city.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const [porto, faro] = await Promise.all([hub.addCity('porto'), hub.addCity('faro')]);
    ownCity = porto.metadata.name;
    own = cityNamespace(ownCity);
    other = cityNamespace(faro.metadata.name);
    client = hub.connectAs(await hub.token(ownCity));
    await hub.token(faro.metadata.name);
    for (const namespace of [own, other]) {
      const metadata = { name: 'traffic-0a1b2c3d', namespace };
      const spec = { model: { uri: 'https://models.example.org/m' } };
      await hub.operator.create(resources.ModelService, { metadata, spec } as KubeObject);
    }
    const somewhere = await city.freshNamespace('anybody');
    const nobody = hub.connectAs(await tokenOfDefault(somewhere));
    await untilPoliciesHold();
    asked = await questions();
    anybody = await allowed(somewhere, asked, nobody);
    await nobody.close();
  });
  afterAll(async () => {
    await client.close();
    await hub.stop();
    for (const { kind, metadata } of await policies()) {
      await city.kubectl(['delete', kind, metadata.name, '--ignore-not-found']);
    }
  });

  /** Of the account that the controllers make in every namespace. */
  async function tokenOfDefault(namespace: string): Promise<string> {
    await untilFurnished(city, namespace);
    return (await city.kubectl(['create', 'token', 'default', '-n', namespace])).trim();
  }

  /** An API server learns of a policy a moment after it was made. */
  async function untilPoliciesHold(): Promise<void> {
    await city.until('the policy of cities holds', 60, async () => {
      const labels = { probe: String(Date.now()) };
      return (await outcomeOf(changeReport({ labels }))).status === 403;
    });
  }

  async function outcomeOf(request: RawRequest): Promise<{ status: number; message: string }> {
    return await client.request(request).then(
      () => ({ status: 200, message: '' }),
      (error: unknown) => {
        if (!isKubeError(error)) throw error;
        return { status: error.status, message: error.message };
      },
    );
  }

  const changeReport = (metadata: object): RawRequest => ({
    method: 'PATCH',
    path: `${api}/namespaces/${own}/cityreports/city`,
    contentType: merge,
    body: { metadata },
  });
  const changeLease = (metadata: object): RawRequest => ({
    method: 'PATCH',
    path: `/apis/coordination.k8s.io/v1/namespaces/${own}/leases/heartbeat`,
    contentType: merge,
    body: { metadata },
  });

  test.each([
    ['finalizers', ['example.org/never']],
    ['labels', { 'aicity.io/share-of-city': 'faro' }],
    ['labels', null],
    ['ownerReferences', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'y' }]],
  ])('cannot change the %s of its report and its heartbeat to %j', async (field, value) => {
    for (const request of [changeReport({ [field]: value }), changeLease({ [field]: value })]) {
      const { status, message } = await outcomeOf(request);
      expect(status).toBe(403);
      expect(message).toContain(`but not their metadata.${field}, which are the hub's`);
    }
  });

  test('annotates its heartbeat, and others may change what it may not', async () => {
    const annotations = { 'aicity.io/session': 'one' };
    await expect(client.request(changeLease({ annotations }))).resolves.toMatchObject({
      metadata: { annotations },
    });
    const labels = { somebody: 'else' };
    await expect(hub.admin.request(changeReport({ labels }))).resolves.toMatchObject({
      metadata: { labels },
    });
  });

  /** All there is to ask. A group whose definitions another test has just removed may be named a moment longer. */
  async function questions(): Promise<Question[]> {
    let all: Question[] = [];
    await city.until('all groups that are named are served', 60, async () => {
      all = await questionsNow();
      return true;
    });
    return all;
  }

  /** Every resource and subresource that the API server serves, with every verb, and verbs beyond them. */
  async function questionsNow(): Promise<Question[]> {
    const groups = await hub.admin.request<{ groups: { preferredVersion: { groupVersion: string } }[] }>({
      method: 'GET',
      path: '/apis',
    });
    const paths = [
      '/api/v1',
      ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`),
    ];
    const served = await Promise.all(
      paths.map(async (path) => {
        const list = await hub.admin.request<{ groupVersion: string; resources: { name: string }[] }>({
          method: 'GET',
          path,
        });
        const group = list.groupVersion.includes('/') ? list.groupVersion.split('/')[0]! : '';
        return list.resources.map(({ name }) => ({ group, resource: name }));
      }),
    );
    // The API server names no subresource of a kind that has none; a right to it would be asked for all the same.
    const all = [...served.flat(), { group: 'aicity.io', resource: 'cityreports/status' }];
    return [
      ...all.flatMap((what) => VERBS.map((verb) => ({ ...what, verb }))),
      ...SPECIAL.map(([verb, group, resource]) => ({ verb, group, resource })),
    ];
  }

  async function allowed(
    namespace: string,
    asked: readonly Question[],
    as: KubeClient = client,
  ): Promise<string[]> {
    const answers = await Promise.all(
      // They are thousands, of which a slow machine answers some only after all others.
      asked.map(async ({ verb, group, resource, name }) => {
        const [plural, subresource = ''] = resource.split('/');
        const { status } = await as.request<{ status: { allowed: boolean } }>({
          method: 'POST',
          path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
          timeoutSeconds: 240,
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SelfSubjectAccessReview',
            spec: { resourceAttributes: { namespace, verb, group, resource: plural, subresource, name } },
          },
        });
        return status.allowed ? `${verb} ${group}/${resource}${name ? ` ${name}` : ''}` : '';
      }),
    );
    return [...new Set(answers)].filter((answer) => answer !== '').sort();
  }

  test('may do in its own namespace what is listed here, of all that there is to do', async () => {
    expect(asked.length).toBeGreaterThan(400);
    for (const right of anybody)
      expect(right).not.toMatch(/aicity|coordination|secrets|pods|^(update|patch|delete)/);
    const named = asked
      .filter(({ resource }) => /^(cityreports|leases|modelservices|secrets|serviceaccounts)/.test(resource))
      .flatMap((question) =>
        ['city', 'heartbeat', 'city-token', 'another'].map((name) => ({ ...question, name })),
      );
    const byName = (await allowed(own, named)).filter((right) => !right.includes('/modelservices'));
    const byKind = await allowed(own, asked);
    expect([...byName, ...byKind].sort()).toEqual([...OWN, ...anybody].sort());
  });

  test.each([
    'the namespace of another city',
    'the whole cluster',
    'the namespace of the operator',
    'kube-system',
  ])('may do nothing in %s', async (where) => {
    const namespaces: Record<string, string> = {
      'the namespace of another city': other,
      'the whole cluster': '',
      'the namespace of the operator': hub.namespace,
      'kube-system': 'kube-system',
    };
    const asked = await questions();
    const named = asked
      .filter(({ resource }) => /^(cityreports|leases|modelservices|cityclusters)/.test(resource))
      .flatMap((question) => ['city', 'heartbeat', ownCity].map((name) => ({ ...question, name })));
    expect(await allowed(namespaces[where]!, [...asked, ...named])).toEqual(anybody);
  });

  const api = '/apis/aicity.io/v1alpha1';
  const merge = 'application/merge-patch+json';
  const share = () => `${api}/namespaces/${own}/modelservices/traffic-0a1b2c3d`;

  test.each<[string, () => RawRequest]>([
    ['read its shares', () => ({ method: 'GET', path: `${api}/namespaces/${own}/modelservices` })],
    ['read one share', () => ({ method: 'GET', path: share() })],
    ['read its report', () => ({ method: 'GET', path: `${api}/namespaces/${own}/cityreports/city` })],
    [
      'write its report',
      () => ({
        method: 'PATCH',
        path: `${api}/namespaces/${own}/cityreports/city`,
        contentType: merge,
        body: { report: { session: 'one', sequence: 1 } },
      }),
    ],
    [
      'renew its heartbeat',
      () => ({
        method: 'PATCH',
        path: `/apis/coordination.k8s.io/v1/namespaces/${own}/leases/heartbeat`,
        contentType: merge,
        body: { spec: { holderIdentity: 'one', renewTime: new Date().toISOString().replace('Z', '000Z') } },
      }),
    ],
  ])('is good to %s', async (_, request) => {
    await expect(client.request(request())).resolves.toBeDefined();
  });

  test.each<[string, () => RawRequest]>([
    [
      'give itself more replicas',
      () => ({ method: 'PATCH', path: share(), contentType: merge, body: { spec: { replicas: 9 } } }),
    ],
    [
      'scale its share',
      () => ({
        method: 'PATCH',
        path: `${share()}/scale`,
        contentType: merge,
        body: { spec: { replicas: 9 } },
      }),
    ],
    [
      'write the status of its share',
      () => ({ method: 'PATCH', path: `${share()}/status`, contentType: merge, body: { status: {} } }),
    ],
    ['delete its share', () => ({ method: 'DELETE', path: share() })],
    [
      'make a share',
      () => ({
        method: 'POST',
        path: `${api}/namespaces/${own}/modelservices`,
        body: { metadata: { name: 'mine' }, spec: { model: { uri: 'https://x/y' } } },
      }),
    ],
    [
      'move its city to another country',
      () => ({
        method: 'PATCH',
        path: `${api}/cityclusters/${ownCity}`,
        contentType: merge,
        body: { metadata: { labels: { country: 'pt' } } },
      }),
    ],
    [
      'say that its city is ready',
      () => ({
        method: 'PATCH',
        path: `${api}/cityclusters/${ownCity}/status`,
        contentType: merge,
        body: { status: { replicas: 1 } },
      }),
    ],
    ['read its own CityCluster', () => ({ method: 'GET', path: `${api}/cityclusters/${ownCity}` })],
    ['list the cities', () => ({ method: 'GET', path: `${api}/cityclusters` })],
    ['delete its report', () => ({ method: 'DELETE', path: `${api}/namespaces/${own}/cityreports/city` })],
    [
      'make a second report',
      () => ({
        method: 'POST',
        path: `${api}/namespaces/${own}/cityreports`,
        body: { metadata: { name: 'second' } },
      }),
    ],
    [
      'read the shares of another city',
      () => ({ method: 'GET', path: `${api}/namespaces/${other}/modelservices` }),
    ],
    [
      'read the report of another city',
      () => ({ method: 'GET', path: `${api}/namespaces/${other}/cityreports/city` }),
    ],
    [
      'write the report of another city',
      () => ({
        method: 'PATCH',
        path: `${api}/namespaces/${other}/cityreports/city`,
        contentType: merge,
        body: { report: { session: 'x', sequence: 1 } },
      }),
    ],
    [
      'beat for another city',
      () => ({
        method: 'PATCH',
        path: `/apis/coordination.k8s.io/v1/namespaces/${other}/leases/heartbeat`,
        contentType: merge,
        body: { spec: { holderIdentity: 'x' } },
      }),
    ],
    ['read all services', () => ({ method: 'GET', path: `${api}/modelservices` })],
    [
      'watch all services',
      () => ({ method: 'GET', path: `${api}/modelservices`, query: { watch: true, timeoutSeconds: 1 } }),
    ],
    ['read its own token', () => ({ method: 'GET', path: `/api/v1/namespaces/${own}/secrets/city-token` })],
    [
      'list the Secrets of its namespace',
      () => ({ method: 'GET', path: `/api/v1/namespaces/${own}/secrets` }),
    ],
    [
      'make itself another token',
      () => ({
        method: 'POST',
        path: `/api/v1/namespaces/${own}/serviceaccounts/city/token`,
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      }),
    ],
    [
      'give itself rights',
      () => ({
        method: 'POST',
        path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${own}/rolebindings`,
        body: {
          metadata: { name: 'more' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
          subjects: [],
        },
      }),
    ],
    [
      'run a pod',
      () => ({
        method: 'POST',
        path: `/api/v1/namespaces/${own}/pods`,
        body: { metadata: { name: 'mine' }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      }),
    ],
    ['read the nodes', () => ({ method: 'GET', path: '/api/v1/nodes' })],
    ['list the namespaces', () => ({ method: 'GET', path: '/api/v1/namespaces' })],
    [
      'read the lease by which the operator leads',
      () => ({
        method: 'GET',
        path: `/apis/coordination.k8s.io/v1/namespaces/${hub.namespace}/leases/aicity-operator`,
      }),
    ],
  ])('is no good to %s', async (_, request) => {
    const outcome = await client.request(request()).then(
      () => 'done',
      (error: unknown) => (isKubeError(error) ? error.status : String(error)),
    );
    expect(outcome).toBe(403);
  });

  test('leads nowhere with the account of another service in the same namespace', async () => {
    const stranger = hub.connectAs(await tokenOfDefault(own));
    await expect(stranger.list(resources.ModelService, { namespace: own })).rejects.toMatchObject({
      status: 403,
    });
    await stranger.close();
  });
});

describe('the hub itself', () => {
  let hub: TestHub;
  let namespace: string;

  beforeAll(async () => {
    hub = await TestHub.start(await cluster());
    const { metadata } = await hub.addCity('coimbra');
    await hub.token(metadata.name);
    namespace = cityNamespace(metadata.name);
  });
  afterAll(async () => await hub.stop());

  const bindingTo = (role: string): KubeObject =>
    ({
      metadata: { name: `to-${role}`, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    }) as unknown as KubeObject;

  test.each(['admin', 'edit', 'view', 'cluster-admin', 'system:node'])(
    'cannot give anybody the role %s',
    async (role) => {
      await expect(hub.operator.create(resources.RoleBinding, bindingTo(role))).rejects.toMatchObject({
        status: 403,
      });
    },
  );

  test('reads no token of a city', async () => {
    const name = { namespace, name: 'city-token' };
    await expect(hub.operator.get(resources.Secret, name)).rejects.toMatchObject({ status: 403 });
    await expect(hub.operator.list(resources.Secret, { namespace })).rejects.toMatchObject({ status: 403 });
  });

  test('writes no ModelService, Secret or Lease outside the namespaces of cities', async () => {
    const elsewhere = { namespace: hub.namespace };
    const service = {
      metadata: { ...elsewhere, name: 'x' },
      spec: { model: { uri: 'https://x/y' } },
    } as KubeObject;
    await expect(hub.operator.create(resources.ModelService, service)).rejects.toMatchObject({ status: 403 });
    const lease = { metadata: { name: 'heartbeat', namespace: 'default' } };
    await expect(hub.operator.create(resources.Lease, lease)).rejects.toMatchObject({ status: 403 });
    const secret = { metadata: { name: 'x', namespace: 'default' } };
    await expect(hub.operator.create(resources.Secret, secret)).rejects.toMatchObject({ status: 403 });
  });
});
