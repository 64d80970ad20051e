import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { ClusterProfiles } from '../../operator/reconcile/hub/joining-profiles.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import { installUpstream } from '../api/upstream-definitions.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { TestHub } from './hub-in.ts';

/** With the upstream project's own definition, and the rights of the chart. */
describe('ClusterProfiles', () => {
  let city: City;
  let hub: TestHub;
  const stop = new AbortController();
  let running: Promise<void>;

  beforeAll(async () => {
    city = await cluster();
    hub = await TestHub.start(city);
    await installUpstream(city, 'ClusterProfile');
    running = profiles().run(stop.signal);
  });
  afterAll(async () => {
    stop.abort();
    await running;
    await hub.stop();
    await city.kubectl(['delete', 'crd', 'clusterprofiles.multicluster.x-k8s.io']);
  });

  function profiles(): ClusterProfiles {
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client: hub.operator, clock, log, metrics: noMetrics, askEverySeconds: 1 };
    return new ClusterProfiles({
      ...tools,
      cityClusters: hub.stores.cityClusters,
      namespace: hub.namespace,
    });
  }

  async function find(name: string, namespace = hub.namespace): Promise<KubeObject | undefined> {
    const { items } = await hub.admin.list<KubeObject>(resources.ClusterProfile, { namespace });
    return items.find(({ metadata }) => metadata.name === name);
  }

  test('one is published for each city, follows its status, and goes with it', async () => {
    const { metadata } = await hub.addCity('porto');
    await city.until('it is published', 60, async () => (await find(metadata.name)) !== undefined);
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: 'Heard',
      message: 'porto is heard',
      observedGeneration: 1,
      lastTransitionTime: '2026-03-01T12:00:00Z',
    };
    await hub.admin.patchStatus(
      resources.CityCluster,
      {
        metadata: { name: metadata.name },
        status: { conditions: [condition], kubernetesVersion: 'v1.34.1' },
      } as KubeObject,
      { fieldManager: 'test', method: 'merge' },
    );
    await city.until('its health is told', 60, async () => {
      const profile = (await find(metadata.name)) as KubeObject & {
        status?: { conditions?: { status: string }[] };
      };
      return profile.status?.conditions?.[0]?.status === 'True';
    });
    expect(await find(metadata.name)).toMatchObject({ status: { version: { kubernetes: 'v1.34.1' } } });
    await hub.admin.delete(resources.CityCluster, { name: metadata.name });
    // The garbage collector hears of a new kind only after up to half a minute.
    await city.until('it is gone', 120, async () => (await find(metadata.name)) === undefined);
  });

  test('one with the label makes a city, which then joins like any other', async () => {
    const namespace = await city.freshNamespace('fleet');
    const name = `vigo-${Date.now().toString(36)}`;
    const labels = { 'aicity.io/join': 'true', 'x-k8s.io/cluster-manager': 'fleet', country: 'es' };
    const profile = { metadata: { name, namespace, labels }, spec: { clusterManager: { name: 'fleet' } } };
    await hub.admin.create(resources.ClusterProfile, profile as KubeObject);
    expect(await hub.token(name)).not.toBe('');
    const made = await hub.admin.get<KubeObject>(resources.CityCluster, { name });
    expect(made.metadata).toMatchObject({
      labels: { country: 'es' },
      annotations: { 'aicity.io/cluster-profile': `${namespace}/${name}` },
    });
  });

  test('one without the label makes none', async () => {
    const namespace = await city.freshNamespace('fleet');
    const [without, withLabel] = ['a', 'b'].map((letter) => `faro-${letter}-${Date.now().toString(36)}`);
    const spec = { clusterManager: { name: 'fleet' } };
    const labels = { 'aicity.io/join': 'true' };
    await hub.admin.create(resources.ClusterProfile, {
      metadata: { name: without!, namespace },
      spec,
    } as KubeObject);
    await hub.admin.create(resources.ClusterProfile, {
      metadata: { name: withLabel!, namespace, labels },
      spec,
    } as KubeObject);
    await hub.token(withLabel!);
    const { items } = await hub.admin.list<KubeObject>(resources.CityCluster);
    expect(items.map(({ metadata }) => metadata.name)).not.toContain(without);
  });
});
