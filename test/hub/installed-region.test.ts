/**
 * A hub and a city, each the operator's own image with the rights that the chart gives to the account of a hub or of a
 * city, and nothing else: what a call needs and the list of permissions lacks ends as "forbidden" in a log.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { CITY_OBJECTS, CityViews, cityNamespace, REGION_ANNOTATIONS } from '../../crds/region.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject, UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { accessTo, InstalledOperator } from '../api/installed.ts';
import { adminClient } from '../api/operator-account.ts';
import { untilKnown } from '../api/readiness.ts';
import { upstreamDefinition } from '../api/upstream-definitions.ts';
import type { City } from '../region/city.ts';
import { citiesAreBuiltHere } from '../region/shared-city.ts';
import { startCity } from '../region/start-city.ts';
import { cluster } from './cluster.ts';
import { PlayedCity } from './played-city.ts';
import { installRegionDefinitions } from './region-hub.ts';

jest.setTimeout(300_000);

/** The city has a node, which only the image that is built here can play. */
const describeWithLocalImage = citiesAreBuiltHere() ? describe : describe.skip;

describeWithLocalImage('a hub and a city, as installed', () => {
  const suffix = randomBytes(3).toString('hex');
  const namespace = `rights-${suffix}`;
  const porto = `porto-${suffix}`;
  /** Waits until it is gone: one that is still on its way out is lost to whoever installs it again. */
  const removeProfiles = ['delete', 'crd', 'clusterprofiles.multicluster.x-k8s.io', '--ignore-not-found'];
  /** Others that a hub knows of; nobody else runs there. */
  const played: PlayedCity[] = [];
  let hubCluster: City;
  let cityCluster: City;
  let hub: InstalledOperator;
  let city: InstalledOperator;
  let client: KubeClient;

  beforeAll(async () => {
    hubCluster = await cluster();
    await installRegionDefinitions(hubCluster);
    await untilKnown(hubCluster, 'cityclusters.aicity.io');
    await hubCluster.kubectl(['delete', 'cityclusters', '--all']);
    await hubCluster.kubectl(removeProfiles);
    // The hub publishes its cities where this API is known, which takes rights too.
    await hubCluster.apply(await upstreamDefinition('ClusterProfile'));
    client = adminClient(hubCluster);
    await hubCluster.kubectl(['create', 'namespace', namespace]);
    const operatorNamespace = await hubCluster.freshNamespace('hub');
    hub = await InstalledOperator.start(hubCluster, operatorNamespace, ['hub.enabled=true']);
    cityCluster = await startCity({ name: 'installed-city', kwokNodes: 1, gpus: 4 });
  }, 300_000);
  afterAll(async () => {
    for (const other of played) await other.goSilent();
    await city?.remove();
    await hub?.remove();
    const settings = ['--ignore-not-found', '--wait=false'];
    await hubCluster.kubectl(['delete', 'cityclusters', '--all', ...settings]);
    await hubCluster.kubectl(['delete', 'namespace', namespace, ...settings]);
    await hubCluster.kubectl(removeProfiles);
    await client.close();
    await cityCluster?.stop();
  }, 300_000);

  const service = async (name: string) =>
    await client.get<ModelService & KubeObject>(resources.ModelService, { name, namespace });

  async function addCity(name: string, group: string): Promise<void> {
    const object: UntypedObject = { metadata: { name, labels: { group } }, spec: {} };
    await client.apply(resources.CityCluster, object, { fieldManager: 'user', force: true });
  }

  async function play(name: string, group: string, address?: string): Promise<PlayedCity> {
    const full = `${name}-${suffix}`;
    await addCity(full, group);
    const other = new PlayedCity(client, full, address ? { address } : {});
    played.push(other);
    other.start();
    return other;
  }

  async function place(name: string, group: string, spec: object): Promise<void> {
    const object: UntypedObject = {
      metadata: { name, namespace },
      spec: {
        model: { uri: 'https://models.example/traffic' },
        gpu: { count: 1 },
        placement: { residency: { matchLabels: { group } }, failover: { graceSeconds: 15 } },
        ...spec,
      },
    };
    await client.apply(resources.ModelService, object, { fieldManager: 'user', force: true });
  }

  async function untilHeard(name: string): Promise<void> {
    await hubCluster.until(`${name} is heard`, 120, async () => {
      const { status } = await client.get<CityCluster & KubeObject>(resources.CityCluster, { name });
      const [ready] = status?.conditions ?? [];
      if (ready?.status === 'True') return true;
      throw new Error(`${ready?.message}; the city: ${(await city?.log())?.slice(-1000)}`);
    });
  }

  async function tokenOf(name: string): Promise<string> {
    let token = '';
    await hubCluster.until('there is a token', 120, async () => {
      const secret = ['get', 'secret', CITY_OBJECTS.tokenSecret, '-n', cityNamespace(name)];
      const data = await hubCluster.kubectl([...secret, '-o', 'jsonpath={.data.token}']);
      token = Buffer.from(data, 'base64').toString();
      return token !== '';
    });
    return token;
  }

  test('the city joins with the token that the hub has made for it', async () => {
    await addCity(porto, 'real');
    const token = await tokenOf(porto);
    const { server, caData } = await accessTo(hubCluster, token);
    await cityCluster.kubectl(['create', 'namespace', 'aicity-system']);
    city = await InstalledOperator.start(cityCluster, 'aicity-system', [
      `city.name=${porto}`,
      `city.address=${(await accessTo(cityCluster, '')).server}`,
      `city.hub.server=${server}`,
      `city.hub.caData=${caData}`,
      `city.hub.token=${token}`,
    ]);
    await untilHeard(porto);
  });

  test('a placed service runs in the city, in a namespace that was not there, and the hub sums it up', async () => {
    await place('traffic', 'real', { replicas: 2 });
    await cityCluster.until('it is mirrored', 60, async () => {
      const replicas = ['-o', 'jsonpath={.spec.replicas}'];
      return (
        (await cityCluster.kubectl(['get', 'deployment', 'traffic', '-n', namespace, ...replicas])) === '2'
      );
    });
    await hubCluster.until('the hub knows of its replicas', 60, async () => {
      return (await service('traffic')).status?.replicas === 2;
    });
  });

  test('the city looks at another city where the hub says, and tells what it sees', async () => {
    const { server } = await accessTo(hubCluster, '');
    const braga = await play('braga', 'played', server);
    await hubCluster.until('it sees the other one', 60, async () => {
      const at = { name: CITY_OBJECTS.lease, namespace: cityNamespace(porto) };
      const { annotations = {} } = (await client.get(resources.Lease, at)).metadata;
      const views = CityViews.parse(JSON.parse(annotations[REGION_ANNOTATIONS.views] ?? '{}'));
      return views[braga.name]?.sees === true;
    });
  });

  test('a service that is deleted on the hub leaves the city', async () => {
    await client.delete(resources.ModelService, { name: 'traffic', namespace });
    await cityCluster.until('it is gone', 120, async () => {
      return (await cityCluster.kubectl(['get', 'modelservices,pods', '-n', namespace, '-o', 'name'])) === '';
    });
    await hubCluster.until('no share is left', 60, async () => {
      const { items } = await client.list(resources.ModelService, { namespace: cityNamespace(porto) });
      return items.length === 0;
    });
  });

  test("a HorizontalPodAutoscaler on the hub scales over cities, by the load of all of a service's replicas", async () => {
    const cities = [await play('lisboa', 'scaled'), await play('faro', 'scaled')];
    for (const one of cities) {
      await untilHeard(one.name);
      one.load = { busyPercent: 90, queueTimeMilliseconds: 0, requestsPerSecond: 5 };
    }
    const replicasIn = () => cities.map((one) => one.readyOf(`${namespace}/scaled`)).sort();
    await place('scaled', 'scaled', { replicas: 2 });
    await hubCluster.until('it runs', 60, async () => {
      return replicasIn().reduce((sum, ready) => sum + ready) === 2;
    });
    await hubCluster.apply(JSON.stringify(autoscaler(namespace)));
    // 90 percent of each, where 70 are wanted, call for more until there may be no more.
    await untilReplicas(6);
    await hubCluster.until('each city has half of them', 60, async () => `${replicasIn()}` === '3,3');
    for (const one of cities) one.load = { ...one.load, busyPercent: 10 };
    await untilReplicas(2);
    await hubCluster.until('each city has half of them', 60, async () => `${replicasIn()}` === '1,1');
  });

  async function untilReplicas(replicas: number): Promise<void> {
    await hubCluster.until(`there are to be ${replicas}`, 120, async () => {
      if ((await service('scaled')).spec.replicas === replicas) return true;
      throw new Error(await hubCluster.kubectl(['describe', 'hpa', 'scaled', '-n', namespace]));
    });
  }

  test('neither needs a right that it was not given', async () => {
    expect(await hub.refusals()).toEqual([]);
    expect(await city.refusals()).toEqual([]);
  });

  test('a token that is taken back is worthless, and made anew when the city is late', async () => {
    const before = await tokenOf(porto);
    const at = { name: CITY_OBJECTS.tokenSecret, namespace: cityNamespace(porto) };
    await client.delete(resources.Secret, at);
    await hubCluster.until('the city says so', 60, async () => (await city.log()).includes('was revoked'));
    expect(await tokenOf(porto)).not.toBe(before);
  });

  test('both end in good order', async () => {
    expect([await city.end(), await hub.end()]).toEqual([0, 0]);
  });
});

/** As docs/region.md has it. */
function autoscaler(namespace: string): object {
  const target = { apiVersion: 'aicity.io/v1alpha1', kind: 'ModelService', name: 'scaled' };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'scaled', namespace },
    spec: {
      scaleTargetRef: target,
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [
        {
          type: 'Object',
          object: {
            describedObject: target,
            metric: { name: 'aicity_load' },
            target: { type: 'AverageValue', averageValue: '70' },
          },
        },
      ],
    },
  };
}
