/** The operator's hub in this process, against a real API server. Services are those of one namespace. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { ModelService, ModelServiceStatus } from '../../crds/model-service.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import type { KubeObject, UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { createHubRole } from '../../operator/reconcile/hub/hub-role.ts';
import { createReflectors, createStores } from '../../operator/reconcile/stores.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { KubeEventRecorder } from '../../operator/runtime/events.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import type { City } from '../region/city.ts';
import { type CityOptions, PlayedCity } from './played-city.ts';

/** Definitions that a hub needs. */
export async function installRegionDefinitions(city: City): Promise<void> {
  for (const name of ['modelservices', 'cityclusters', 'cityreports']) {
    const crd = readFileSync(new URL(`../../crds/${name}.aicity.io.yaml`, import.meta.url), 'utf8');
    await city.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], crd);
    await city.kubectl(['wait', '--for=condition=Established', `crd/${name}.aicity.io`, '--timeout=60s']);
  }
}

/**
 * Deletes the cities and services of other tests: a hub listens for every city that it knows of, nobody plays those, and
 * services without a city would take the room of others.
 */
export async function leaveNothingToPlace(city: City): Promise<void> {
  await city.kubectl(['delete', 'cityclusters', '--all']);
  await city.kubectl(['delete', 'modelservices', '--all', '--all-namespaces']);
}

export class RegionHub {
  readonly namespace: string;
  readonly client: HttpKubeClient;
  readonly cities = new Map<string, PlayedCity>();
  readonly #city: City;
  readonly #prefix: string;
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(city: City, namespace: string) {
    this.#city = city;
    this.namespace = namespace;
    this.#prefix = namespace.split('-').at(-1)!;
    this.client = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  }

  /** @param namespace of its services; absent: one of its own */
  static async start(city: City, prefix: string, namespace?: string): Promise<RegionHub> {
    await installRegionDefinitions(city);
    await leaveNothingToPlace(city);
    const hub = new RegionHub(city, namespace ?? (await city.freshNamespace(prefix)));
    await hub.run();
    return hub;
  }

  /** @param client in place of the real one, to let it fail in the middle */
  async run(client: KubeClient = this.client): Promise<void> {
    this.#stop = new AbortController();
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client, clock, log, metrics: noMetrics, namespace: this.namespace };
    const events = new KubeEventRecorder({
      ...tools,
      reportingController: 'aicity.io/operator',
      reportingInstance: 'test',
    });
    const stores = createStores(log);
    const [modelServices] = createReflectors(stores, tools);
    const role = createHubRole(true, {
      ...tools,
      askEverySeconds: 1,
      events,
      modelServices: stores.modelServices,
      operatorNamespace: 'aicity-system',
    });
    const { signal } = this.#stop;
    const synced = Promise.all([modelServices!.synced, role.synced]);
    const work = Promise.all([
      modelServices!.run(signal),
      role.follow(signal),
      synced.then(() => role.lead(signal)),
    ]);
    this.#running = work.then(() => events.flush());
    await synced;
  }

  /** The hub ends, as a process does; the cities go on. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async stop(): Promise<void> {
    await this.end();
    for (const city of this.cities.values()) await city.goSilent();
    for (const name of this.cities.keys()) {
      await this.client.delete(resources.CityCluster, { name }).catch(() => {});
    }
    await this.client.close();
  }

  /** A name that no other test uses. */
  cityName(name: string): string {
    return `${name}-${this.#prefix}`;
  }

  /** Adds a CityCluster and a city that plays it. */
  async addCity(
    name: string,
    {
      labels = {},
      spec = {},
      ...options
    }: CityOptions & { labels?: Record<string, string>; spec?: object } = {},
  ): Promise<PlayedCity> {
    const full = this.cityName(name);
    const object: UntypedObject = {
      metadata: { name: full, labels: { test: this.#prefix, ...labels } },
      spec,
    };
    await this.client.apply(resources.CityCluster, object, { fieldManager: 'user', force: true });
    const city = new PlayedCity(this.client, full, options);
    this.cities.set(full, city);
    city.start();
    return city;
  }

  /** Server-side apply as a user; placed over the cities of this test alone. */
  async applyService(
    name: string,
    { placement = {}, ...spec }: { placement?: object; [field: string]: unknown },
  ): Promise<void> {
    const residency = { matchLabels: { test: this.#prefix } };
    const object: UntypedObject = {
      metadata: { name, namespace: this.namespace },
      spec: {
        model: { uri: 'https://models.example/traffic' },
        gpu: { count: 1 },
        placement: { residency, failover: { graceSeconds: 15 }, ...placement },
        ...spec,
      },
    };
    await this.client.apply(resources.ModelService, object, { fieldManager: 'user', force: true });
  }

  key(name: string): string {
    return `${this.namespace}/${name}`;
  }

  async service(name: string): Promise<ModelService & KubeObject> {
    return await this.client.get<ModelService & KubeObject>(resources.ModelService, {
      name,
      namespace: this.namespace,
    });
  }

  async status(name: string): Promise<ModelServiceStatus> {
    return (await this.service(name)).status ?? {};
  }

  async cityCluster(name: string): Promise<CityCluster & KubeObject> {
    return await this.client.get<CityCluster & KubeObject>(resources.CityCluster, { name });
  }

  async untilReady(name: string, replicas: number): Promise<ModelServiceStatus> {
    let status: ModelServiceStatus = {};
    await this.until(`${name} has ${replicas} ready replicas`, async () => {
      status = await this.status(name);
      return status.readyReplicas === replicas && status.conditions?.[0]?.status === 'True';
    });
    return status;
  }

  async until(what: string, check: () => Promise<boolean>, seconds = 120): Promise<void> {
    await this.#city.until(what, seconds, check);
  }

  async kubectl(...args: string[]): Promise<string> {
    return await this.#city.kubectl(args);
  }
}
