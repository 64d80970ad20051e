import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ServiceCondition } from '../../crds/conditions.ts';
import type { Endpoint, ModelService } from '../../crds/model-service.ts';
import type { HttpKubeClient } from '../../operator/kube/http-client.ts';
import type { KubeObject, UntypedObject } from '../../operator/kube/objects.ts';
import { type Resource, resources } from '../../operator/kube/resources.ts';
import { hubCopies } from '../../operator/reconcile/hub/hub.ts';
import { Routes } from '../../operator/reconcile/hub/routes.ts';
import { createReflectors, createStores } from '../../operator/reconcile/stores.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import { adminClient, operatorClient, removeOperatorAccount } from '../api/operator-account.ts';
import { upstreamDefinition } from '../api/upstream-definitions.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions, RegionHub } from './region-hub.ts';

const CRD = 'httproutes.gateway.networking.k8s.io';

interface Ref {
  readonly kind: string;
  readonly name: string;
  readonly weight: number;
}
interface HTTPRoute extends KubeObject {
  readonly spec: {
    readonly hostnames?: string[];
    readonly rules: { readonly backendRefs: readonly Ref[] }[];
  };
}
interface Slice extends KubeObject {
  readonly addressType: string;
  readonly ports: { readonly port: number }[];
  readonly endpoints: { readonly addresses: string[] }[];
}

/** What a Gateway would do by what stands in a namespace. */
class View {
  readonly #client: Pick<HttpKubeClient, 'list'>;
  readonly #namespace: string;

  constructor(client: Pick<HttpKubeClient, 'list'>, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async all<T extends KubeObject>(resource: Resource): Promise<readonly T[]> {
    return (await this.#client.list<T>(resource, { namespace: this.#namespace })).items;
  }

  async route(name: string): Promise<HTTPRoute | undefined> {
    const routes = await this.all<HTTPRoute>(resources.HTTPRoute).catch(() => []);
    return routes.find(({ metadata }) => metadata.name === name);
  }

  /** Cities by weight, with the addresses that are behind them; undefined while there is no route. */
  async leadsTo(name: string): Promise<Record<string, [number, ...string[]]> | undefined> {
    const route = await this.route(name);
    if (!route) return undefined;
    const [services, slices] = [
      await this.all(resources.Service),
      await this.all<Slice>(resources.EndpointSlice),
    ];
    const led = route.spec.rules[0]!.backendRefs.map((ref): [string, [number, ...string[]]] => {
      const service = services.find(({ metadata }) => metadata.name === ref.name);
      const behind = slices
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === ref.name)
        .flatMap(({ endpoints, ports }) =>
          (endpoints ?? []).flatMap(({ addresses }) =>
            addresses.map((address) => `${address} ${ports[0]!.port}`),
          ),
        );
      const city = service?.metadata.labels?.['aicity.io/route-to-city'] ?? `no Service ${ref.name}`;
      return [city || 'nowhere', [ref.weight, ...behind.sort()]];
    });
    return Object.fromEntries(led);
  }
}

async function install(city: City): Promise<void> {
  // With server-side apply: the definition is too large for an annotation.
  await city.kubectl(
    ['apply', '--server-side', '--force-conflicts', '-f', '-'],
    await upstreamDefinition('HTTPRoute'),
  );
  await city.kubectl(['wait', '--for=condition=Established', `crd/${CRD}`, '--timeout=60s']);
}

async function uninstall(city: City): Promise<void> {
  await city.kubectl(['delete', 'crd', CRD, '--ignore-not-found']);
}

const parentRefs = [{ name: 'public', namespace: 'gateways' }];

/** With the upstream project's own definition, and the rights that the chart gives to a hub. */
describe('routes', () => {
  let city: City;
  let namespace: string;
  let admin: ReturnType<typeof adminClient>;
  let account: HttpKubeClient;
  let view: View;
  let routes: Routes;
  let modelServices: ReturnType<typeof createStores>['modelServices'];
  const stop = new AbortController();
  const running: Promise<unknown>[] = [];
  const names = new Map<string, string[]>();

  beforeAll(async () => {
    city = await cluster();
    await uninstall(city);
    await installRegionDefinitions(city);
    namespace = await city.freshNamespace('routes');
    admin = adminClient(city);
    view = new View(admin, namespace);
    account = await operatorClient(city, namespace, ['hub']);
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client: account, clock, log, metrics: noMetrics, namespace, askEverySeconds: 1 };
    const stores = createStores(log);
    modelServices = stores.modelServices;
    const [reflector] = createReflectors(stores, tools);
    const copies = hubCopies(tools);
    const resolve = async (name: string) => names.get(name) ?? [];
    routes = new Routes({ ...tools, modelServices, cityClusters: copies.stores.cityClusters, resolve });
    const { signal } = stop;
    running.push(reflector!.run(signal), copies.run(signal));
    await Promise.all([reflector!.synced, copies.synced]);
    running.push(routes.run(signal));
    for (const [name, addressRanges] of Object.entries({
      [cityName('porto')]: ['203.0.113.0/24', '2001:db8::/32'],
      [cityName('faro')]: ['198.51.100.0/24'],
      [cityName('vigo')]: undefined,
    })) {
      const object: UntypedObject = { metadata: { name }, spec: addressRanges ? { addressRanges } : {} };
      await admin.apply(resources.CityCluster, object, { fieldManager: 'user', force: true });
    }
  });
  afterAll(async () => {
    stop.abort();
    await Promise.all(running);
    for (const name of ['porto', 'faro', 'vigo']) {
      await admin.delete(resources.CityCluster, { name: cityName(name) }).catch(() => {});
    }
    await uninstall(city);
    await removeOperatorAccount(city);
    await Promise.all([account.close(), admin.close()]);
  });

  const cityName = (name: string) => `${name}-${namespace.split('-').at(-1)}`;

  async function apply(name: string, route: object | undefined): Promise<void> {
    const spec = {
      model: { uri: 'https://models.example/traffic' },
      placement: route ? { route: { parentRefs, ...route } } : {},
    };
    const object: UntypedObject = { metadata: { name, namespace }, spec };
    await admin.apply(resources.ModelService, object, { fieldManager: 'user', force: true });
  }

  /** As the hub does after a look. */
  async function publish(
    name: string,
    at: Record<string, [url: string, weight: number]>,
    ready: Record<string, number> = {},
  ): Promise<void> {
    const endpoints = Object.entries(at).map(
      ([short, [url, weight]]): Endpoint => ({ city: cityName(short), url, weight }),
    );
    const cities = Object.entries(ready).map(([short, readyReplicas]) => {
      const figures = { replicas: readyReplicas, guaranteed: readyReplicas, maxReplicas: readyReplicas };
      return { city: cityName(short), known: true, readyReplicas, ...figures };
    });
    const object: UntypedObject = {
      metadata: { name, namespace },
      status: { endpoints, cities, placement: { epoch: 1, waiting: 0 } },
    };
    await admin.patchStatus(resources.ModelService, object, { fieldManager: 'hub', method: 'merge' });
  }

  async function untilLeads(name: string, to: Record<string, [number, ...string[]]>): Promise<void> {
    const wanted = Object.fromEntries(
      Object.entries(to).map(([short, led]) => [short === 'nowhere' ? short : cityName(short), led]),
    );
    let seen: unknown;
    await city
      .until(`${name} leads to ${JSON.stringify(wanted)}`, 60, async () => {
        seen = await view.leadsTo(name);
        return JSON.stringify(seen) === JSON.stringify(wanted);
      })
      .catch((error) => {
        throw new Error(`${error}; it leads to ${JSON.stringify(seen)}`);
      });
  }

  function verdict(name: string) {
    const service = modelServices.get({ cluster: '', namespace, name });
    return service && routes.verdictOf(service);
  }
  async function untilReason(name: string, reason: string): Promise<string> {
    await city.until(`${name} is ${reason}`, 60, async () => verdict(name)?.reason === reason);
    return verdict(name)!.message;
  }

  test('are asked for in vain where there is no Gateway API, and the service is told', async () => {
    await apply('traffic', { hostnames: ['traffic.example.org'] });
    await publish('traffic', { porto: ['http://203.0.113.7:30080', 3] });
    expect(await untilReason('traffic', 'GatewayAPIMissing')).toContain('install the Gateway API');
    expect(await view.all(resources.Service)).toEqual([]);
  });

  test('begin when somebody installs it', async () => {
    await install(city);
    await untilLeads('traffic', { porto: [3, '203.0.113.7 30080'] });
    const route = (await view.route('traffic'))!;
    expect(route).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'ModelService', name: 'traffic', controller: true }] },
      spec: { parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', ...parentRefs[0] }] },
    });
    expect(route.spec.hostnames).toEqual(['traffic.example.org']);
    expect(await untilReason('traffic', 'RouteNotAccepted')).toContain('no Gateway has answered');
  });

  test('follow the published endpoints, and nothing is left of a city that is not among them', async () => {
    await publish('traffic', {
      faro: ['http://198.51.100.9', 2],
      porto: ['http://203.0.113.7:30080', 1],
    });
    await untilLeads('traffic', { faro: [2, '198.51.100.9 80'], porto: [1, '203.0.113.7 30080'] });
    await publish('traffic', { faro: ['http://198.51.100.9', 4] });
    await untilLeads('traffic', { faro: [4, '198.51.100.9 80'] });
    await city.until('what led to porto is gone', 60, async () => {
      const left = [...(await view.all(resources.Service)), ...(await view.all(resources.EndpointSlice))];
      return left.length === 2 && left.every(({ metadata }) => metadata.name.includes('faro'));
    });
  });

  test('answer 503 by a Service behind which nothing is, while nothing is ready', async () => {
    await publish('traffic', {});
    await untilLeads('traffic', { nowhere: [1] });
    await untilReason('traffic', 'NothingReady');
    // Without a slice, even an empty one, some Gateways take the Service for a mistake and answer 500.
    await city.until('only an empty slice is left', 60, async () => {
      const slices = await view.all<Slice>(resources.EndpointSlice);
      return slices.length === 1 && slices.every(({ endpoints }) => (endpoints ?? []).length === 0);
    });
    await publish('traffic', { porto: ['http://[2001:db8::7]:8080', 1] });
    await untilLeads('traffic', { porto: [1, '2001:db8::7 8080'] });
    await publish('traffic', { porto: ['http://203.0.113.7:30080', 1] });
    await untilLeads('traffic', { porto: [1, '203.0.113.7 30080'] });
  });

  test('lead nowhere that the people of the hub have not allowed, whatever a city says', async () => {
    await publish('traffic', {
      faro: ['http://10.96.0.1:443', 5],
      porto: ['http://203.0.113.7:30080', 1],
      vigo: ['http://203.0.113.9', 5],
    });
    const message = await untilReason('traffic', 'CityNotRoutable');
    expect(message).toContain('10.96.0.1 is not in spec.addressRanges');
    expect(message).toContain('its CityCluster has no spec.addressRanges');
    await untilLeads('traffic', { porto: [1, '203.0.113.7 30080'] });
    const change = { metadata: { name: cityName('vigo') }, spec: { addressRanges: ['203.0.113.9/32'] } };
    await admin.apply(resources.CityCluster, change as KubeObject, { fieldManager: 'user', force: true });
    await untilLeads('traffic', { porto: [1, '203.0.113.7 30080'], vigo: [5, '203.0.113.9 80'] });
  });

  test('lead to the addresses of a name, and stay when it is not known for a while', async () => {
    names.set('lb.porto.example', ['203.0.113.21', '203.0.113.20', '10.0.0.1']);
    await publish('traffic', { porto: ['http://lb.porto.example', 2] });
    await untilLeads('traffic', { porto: [2, '203.0.113.20 80', '203.0.113.21 80'] });
    names.clear();
    await publish('traffic', { porto: ['http://lb.porto.example', 3] });
    await untilLeads('traffic', { porto: [3, '203.0.113.20 80', '203.0.113.21 80'] });
  });

  test('are put back when somebody edits or deletes what they consist of', async () => {
    const refs = (weight: number) => [
      { op: 'replace', path: '/spec/rules/0/backendRefs/0/weight', value: weight },
    ];
    await city.kubectl([
      'patch',
      'httproute',
      'traffic',
      '-n',
      namespace,
      '--type=json',
      '-p',
      JSON.stringify(refs(9)),
    ]);
    await untilLeads('traffic', { porto: [3, '203.0.113.20 80', '203.0.113.21 80'] });
    await city.kubectl(['delete', 'endpointslices', '--all', '-n', namespace]);
    await untilLeads('traffic', { porto: [3, '203.0.113.20 80', '203.0.113.21 80'] });
  });

  test('lead to no Service that could not be made', async () => {
    let count = 0;
    await city.until('what led to other cities is gone', 60, async () => {
      count = (await view.all(resources.Service)).length;
      return count === 1;
    });
    const hard = { 'count/services': String(count) };
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few', namespace },
      spec: { hard },
    };
    await city.apply(JSON.stringify(quota));
    const used = ['get', 'resourcequota', 'few', '-n', namespace, '-o', 'jsonpath={.status.used}'];
    await city.until('the quota counts', 60, async () => (await city.kubectl(used)).includes(`"${count}"`));
    const porto = 'http://lb.porto.example';
    await publish('traffic', { faro: ['http://198.51.100.9', 2], porto: [porto, 2] });
    expect(await untilReason('traffic', 'ApplyFailed')).toContain('exceeded quota');
    await untilLeads('traffic', { porto: [2, '203.0.113.20 80', '203.0.113.21 80'] });
    await city.kubectl(['delete', 'resourcequota', 'few', '-n', namespace]);
    await untilLeads('traffic', {
      faro: [2, '198.51.100.9 80'],
      porto: [2, '203.0.113.20 80', '203.0.113.21 80'],
    });
    await publish('traffic', { porto: [porto, 3] });
    await untilLeads('traffic', { porto: [3, '203.0.113.20 80', '203.0.113.21 80'] });
  });

  test('tell what a Gateway says of them', async () => {
    const route = (await view.route('traffic'))!;
    const said = (status: string, reason: string) => ({
      metadata: { name: 'traffic', namespace },
      status: {
        parents: [
          {
            parentRef: parentRefs[0],
            controllerName: 'example.org/gateway',
            conditions: [
              {
                type: 'Accepted',
                status,
                reason,
                message: `the Gateway says ${reason}`,
                observedGeneration: route.metadata.generation ?? 1,
                lastTransitionTime: '2026-03-01T12:00:00Z',
              },
            ],
          },
        ],
      },
    });
    const options = { fieldManager: 'gateway', method: 'merge' } as const;
    await admin.patchStatus(
      resources.HTTPRoute,
      said('False', 'NotAllowedByListeners') as KubeObject,
      options,
    );
    await city.until(
      'it is told',
      60,
      async () => verdict('traffic')?.message.includes('NotAllowed') ?? false,
    );
    await admin.patchStatus(resources.HTTPRoute, said('True', 'Accepted') as KubeObject, options);
    expect(await untilReason('traffic', 'Routed')).toBe(`clients are sent to ${cityName('porto')}`);
  });

  test('of somebody else stay as they are', async () => {
    const foreign = { metadata: { name: 'air', namespace }, spec: { parentRefs: [{ name: 'other' }] } };
    await admin.create(resources.HTTPRoute, foreign as KubeObject);
    await apply('air', {});
    await publish('air', { porto: ['http://203.0.113.7', 1] });
    expect(await untilReason('air', 'NameConflict')).toContain('exists already and belongs to somebody else');
    expect((await view.route('air'))?.spec).toMatchObject({ parentRefs: [{ name: 'other' }] });
    await admin.delete(resources.HTTPRoute, { name: 'air', namespace });
    await city.until(
      'it is made when the other is gone',
      60,
      async () => (await view.leadsTo('air')) !== undefined,
    );
  });

  test('lead to what the cluster set has, where the service asks for that', async () => {
    await apply('noise', { backends: 'ServiceImport' });
    // No city has an address for clients outside.
    await publish('noise', {}, { vigo: 2 });
    const refs = async () => (await view.route('noise'))?.spec.rules[0]?.backendRefs;
    await city.until('it is there', 60, async () => (await refs())?.[0]?.kind === 'ServiceImport');
    expect(await refs()).toMatchObject([
      { group: 'multicluster.x-k8s.io', name: 'noise', port: 80, weight: 1 },
    ]);
  });

  test('go when nobody asks for them any more, and with the service', async () => {
    await apply('traffic', undefined);
    await city.until('all of it is gone', 60, async () => {
      const kinds = [resources.HTTPRoute, resources.Service, resources.EndpointSlice];
      const left = await Promise.all(kinds.map((kind) => view.all(kind)));
      return left.flat().every(({ metadata }) => metadata.labels?.['aicity.io/service'] !== 'traffic');
    });
    await admin.delete(resources.ModelService, { name: 'air', namespace });
    // The garbage collector hears of a new kind only after up to half a minute.
    await city.until('it is gone with its service', 120, async () => {
      const left = await view.all(resources.HTTPRoute);
      return !left.some(({ metadata }) => metadata.name === 'air');
    });
  });

  test('are done without when the kind goes', async () => {
    await uninstall(city);
    await untilReason('noise', 'GatewayAPIMissing');
    await install(city);
    await city.until('it is back', 60, async () => (await view.route('noise')) !== undefined);
  });
});

describe('a region behind a Gateway', () => {
  let city: City;
  let hub: RegionHub;
  beforeAll(async () => {
    city = await cluster();
    await install(city);
    hub = await RegionHub.start(city, 'gate');
    // Its short grace keeps all heartbeats quick.
    await hub.applyService('quick', { replicas: 0 });
    const spec = { addressRanges: ['203.0.113.0/24'] };
    await hub.addCity('porto', { spec, url: 'http://203.0.113.1:30080' });
    await hub.addCity('faro', { spec, url: 'http://203.0.113.2:30080' });
  });
  afterAll(async () => {
    await hub.stop();
    await uninstall(city);
  });

  const routed = async () =>
    (await hub.status('traffic')).conditions?.find(({ type }) => type === 'Routed') as
      | ServiceCondition
      | undefined;

  test('has weight on cities that are ready alone, when one is lost too, and never on what is not there', async () => {
    const view = new View(hub.client, hub.namespace);
    const bad: unknown[] = [];
    let isWatching = true;
    const watching = (async () => {
      while (isWatching) {
        const before = await view.route('traffic');
        const led = await view.leadsTo('traffic').catch(() => undefined);
        // What was read of the backends belongs to this route only when that has not changed meanwhile.
        const isSame =
          before?.metadata.resourceVersion === (await view.route('traffic'))?.metadata.resourceVersion;
        for (const [name, [weight]] of Object.entries((isSame && led) || {})) {
          if (name.startsWith('no Service') || weight < 1) bad.push(led);
        }
        await new Promise((later) => setTimeout(later, 50));
      }
    })();
    const [porto, faro] = [hub.cityName('porto'), hub.cityName('faro')];
    const untilLeads = async (to: object) => {
      const check = async () => JSON.stringify(await view.leadsTo('traffic')) === JSON.stringify(to);
      // A hub that has just begun expects the quick rhythm only after the time in which all can have heard of it.
      await hub.until(`it leads to ${JSON.stringify(to)}`, check, 150);
    };
    try {
      await hub.applyService('traffic', { replicas: 4, placement: { route: { parentRefs } } });
      await hub.untilReady('traffic', 4);
      await untilLeads({ [faro]: [2, '203.0.113.2 30080'], [porto]: [2, '203.0.113.1 30080'] });
      await hub.until('the status says that it is there', async () => {
        expect(await routed()).toMatchObject({ status: 'Unknown', reason: 'RouteNotAccepted' });
        return true;
      });
      await hub.cities.get(porto)!.goSilent();
      await untilLeads({ [faro]: [4, '203.0.113.2 30080'] });
      hub.cities.get(porto)!.comeBack();
    } finally {
      isWatching = false;
      await watching;
    }
    expect(bad).toEqual([]);
  }, 400_000);

  test('shows the condition no longer when nobody asks for the route', async () => {
    await hub.applyService('traffic', { replicas: 4 });
    await hub.until('the condition is gone', async () => (await routed()) === undefined);
    const service: ModelService & KubeObject = await hub.service('traffic');
    expect(service.status?.endpoints?.length).toBeGreaterThan(0);
  });
});
