import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CityCluster } from '../../crds/city-cluster.ts';
import { cityNamespace } from '../../crds/region.ts';
import { isKubeError } from '../../operator/kube/client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { type Resource, resources } from '../../operator/kube/resources.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { TestHub } from './hub-in.ts';

/** The garbage collector hears of a kind only after up to half a minute; a namespace is then emptied kind by kind. */
const REMOVED_SECONDS = 120;

/** The hub has the rights of the chart and no others: what it needs and lacks fails these tests. */
describe('joining', () => {
  let city: City;
  let hub: TestHub;

  beforeAll(async () => {
    city = await cluster();
    hub = await TestHub.start(city);
  });
  afterAll(async () => await hub.stop());

  async function joined(prefix: string): Promise<CityCluster & KubeObject> {
    const object = await hub.addCity(prefix);
    await hub.token(object.metadata.name);
    return object;
  }

  async function uidOf(resource: Resource, namespace: string, name: string): Promise<string | undefined> {
    try {
      return (await hub.admin.get<KubeObject>(resource, { namespace, name })).metadata.uid;
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }

  test('makes the namespace of a city with all that it needs', async () => {
    const { metadata } = await joined('porto');
    const namespace = cityNamespace(metadata.name);
    const found = await city.kubectl([
      'get',
      'serviceaccounts,secrets,rolebindings,cityreports,leases',
      '-n',
      namespace,
      '-o',
      'name',
    ]);
    expect(
      found
        .split('\n')
        .filter((name) => !name.endsWith('/default'))
        .sort(),
    ).toEqual([
      'cityreport.aicity.io/city',
      'lease.coordination.k8s.io/heartbeat',
      'rolebinding.rbac.authorization.k8s.io/aicity-city',
      'rolebinding.rbac.authorization.k8s.io/aicity-operator-hub-in-city',
      'secret/city-token',
      'serviceaccount/city',
    ]);
  });

  async function tell(name: string, status: 'True' | 'Unknown', reason: 'Heard' | 'Late'): Promise<void> {
    const times = { observedGeneration: 1, lastTransitionTime: '2026-03-01T12:00:00Z' };
    const ready = { type: 'Ready', status, reason, message: 'as the test says', ...times };
    const object = { metadata: { name }, status: { conditions: [ready] } } as KubeObject;
    const as = { fieldManager: 'test', method: 'merge' } as const;
    await hub.admin.patchStatus(resources.CityCluster, object, as);
  }

  test('a token that was deleted is worthless at once, and a new one is made', async () => {
    const { metadata } = await joined('faro');
    await tell(metadata.name, 'True', 'Heard');
    const namespace = cityNamespace(metadata.name);
    const old = await hub.token(metadata.name);
    const client = hub.connectAs(old);
    const shares = () => client.list(resources.ModelService, { namespace });
    expect((await shares()).items).toEqual([]);
    await hub.admin.delete(resources.Secret, { namespace, name: 'city-token' });
    // The authenticator may remember it for some seconds.
    await city.until('the old token is refused', 60, async () =>
      shares().then(
        () => false,
        (error) => isKubeError(error) && error.status === 401,
      ),
    );
    await client.close();
    // With such a token nobody beats.
    await tell(metadata.name, 'Unknown', 'Late');
    const renewed = await hub.token(metadata.name);
    expect(renewed).not.toBe(old);
    const again = hub.connectAs(renewed);
    expect((await again.list(resources.ModelService, { namespace })).items).toEqual([]);
    await again.close();
  });

  test('puts back what is removed', async () => {
    const { metadata } = await joined('braga');
    const namespace = cityNamespace(metadata.name);
    await hub.admin.delete(resources.CityReport, { namespace, name: 'city' });
    await city.until('the report is back', 60, async () => {
      return (await uidOf(resources.CityReport, namespace, 'city')) !== undefined;
    });
    const gone = await uidOf(resources.Namespace, '', namespace);
    await hub.admin.delete(resources.Namespace, { name: namespace });
    await city.until('the namespace is another', REMOVED_SECONDS, async () => {
      const uid = await uidOf(resources.Namespace, '', namespace);
      return uid !== undefined && uid !== gone;
    });
    expect(await hub.token(metadata.name)).not.toBe('');
  });

  test('does not touch what the city has written into its report', async () => {
    const { metadata } = await joined('viseu');
    const namespace = cityNamespace(metadata.name);
    const client = hub.connectAs(await hub.token(metadata.name));
    await client.request({
      method: 'PATCH',
      path: `/apis/aicity.io/v1alpha1/namespaces/${namespace}/cityreports/city`,
      contentType: 'application/merge-patch+json',
      body: { report: { session: 's', sequence: 7 } },
    });
    await client.close();
    await hub.admin.delete(resources.Lease, { namespace, name: 'heartbeat' });
    await city.until('the heartbeat is back', 60, async () => {
      return (await uidOf(resources.Lease, namespace, 'heartbeat')) !== undefined;
    });
    const report = await hub.admin.get<KubeObject>(resources.CityReport, { namespace, name: 'city' });
    expect(report).toMatchObject({ report: { session: 's', sequence: 7 } });
  });

  test('takes rights back that somebody added to the city', async () => {
    const { metadata } = await joined('evora');
    const namespace = cityNamespace(metadata.name);
    const stranger = { kind: 'ServiceAccount', name: 'default', namespace: 'default' };
    await city.kubectl([
      'patch',
      'rolebinding',
      'aicity-city',
      '-n',
      namespace,
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'add', path: '/subjects/-', value: stranger }]),
    ]);
    await hub.admin.delete(resources.Lease, { namespace, name: 'heartbeat' });
    await city.until('one subject is left', 60, async () => {
      const name = { namespace, name: 'aicity-city' };
      const binding = await hub.admin.get<KubeObject & { subjects: object[] }>(resources.RoleBinding, name);
      return binding.subjects.length === 1;
    });
  });

  test('goes, with its shares, when the CityCluster goes; what a city cannot write cannot hold it up', async () => {
    const { metadata } = await joined('lagos');
    const namespace = cityNamespace(metadata.name);
    const share = {
      metadata: { name: 'traffic-0a1b2c3d', namespace },
      spec: { model: { uri: 'https://models.example.org/m' } },
    } as KubeObject;
    await hub.operator.create(resources.ModelService, share);
    await hub.admin.delete(resources.CityCluster, { name: metadata.name });
    await city.until('the namespace is gone', REMOVED_SECONDS, async () => {
      return (await uidOf(resources.Namespace, '', namespace)) === undefined;
    });
  });

  test('a city that comes again under the same name gets a namespace and a token of its own', async () => {
    const { metadata } = await joined('sines');
    const namespace = cityNamespace(metadata.name);
    const before = await hub.token(metadata.name);
    const uid = await uidOf(resources.Namespace, '', namespace);
    await hub.admin.delete(resources.CityCluster, { name: metadata.name });
    await hub.admin.create(resources.CityCluster, {
      metadata: { name: metadata.name },
      spec: {},
    } as KubeObject);
    await city.until('the namespace is another', REMOVED_SECONDS, async () => {
      const now = await uidOf(resources.Namespace, '', namespace);
      return now !== undefined && now !== uid;
    });
    expect(await hub.token(metadata.name)).not.toBe(before);
  });

  test('leaves a namespace of that name alone that belongs to somebody else, and says so', async () => {
    const name = `beja-${Date.now().toString(36)}`;
    await city.kubectl(['create', 'namespace', cityNamespace(name)]);
    await hub.admin.create(resources.CityCluster, { metadata: { name }, spec: {} } as KubeObject);
    await city.until('the trouble is told', 60, async () => hub.joining.trouble(name) !== undefined);
    expect(hub.joining.trouble(name)).toEqual({
      reason: 'NamespaceTaken',
      message: `namespace aicity-city-${name} is there already and does not belong to CityCluster ${name}: remove it, or give the city another name`,
    });
    expect(await uidOf(resources.ServiceAccount, cityNamespace(name), 'city')).toBeUndefined();
  });

  test.each([
    ['porto.norte', 'expected at most 50 lower-case letters, digits and dashes'],
    [`p${'o'.repeat(50)}`, 'expected at most 50'],
  ])('the API server refuses a city that could not have a namespace: %s', async (name, sentence) => {
    const object = { metadata: { name }, spec: {} } as KubeObject;
    await expect(hub.admin.create(resources.CityCluster, object)).rejects.toThrow(sentence);
  });
});
