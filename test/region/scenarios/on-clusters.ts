/** The stage on real clusters: a hub and its cities, with model servers that answer. */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import { LABELS } from '../../../crds/labels.ts';
import { API_VERSION, type ModelService, type ModelServiceSpec } from '../../../crds/model-service.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { resources } from '../../../operator/kube/resources.ts';
import { EndpointClients, endpointsOn } from '../endpoint-clients.ts';
import { OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../installation.ts';
import { HUB_NAME, type Region } from '../region.ts';
import type { ScenarioStage } from './perform.ts';
import type { Picture, ServicePicture } from './picture.ts';
import { NAMESPACE, type Scenario, type ScenarioCity } from './scenario.ts';

/** Pods of the machine that all cities share: they ask for little and get along. */
const SMALL = { requests: { cpu: '20m', memory: '256Mi' }, limits: { memory: '1Gi' } };
const CALL = { timeoutSeconds: 3 };
/** What every client asks for: tomorrow's first hour, as examples/traffic has it. */
const BODY = JSON.stringify({
  instances: [
    { calendar: [8, 5, 0, 1, 349], weather: [1, 3.3, 1.0, 75, 9], history: [551, 554, 555, 210, 205] },
  ],
});

export class ClusterStage implements ScenarioStage {
  readonly #region: Region;
  readonly #startedAtMs = performance.now();
  /** Paused or killed: they would be waited for in vain. */
  readonly #still = new Set<string>();
  readonly #clients = new Map<string, EndpointClients>();
  readonly #names = new Set<string>();
  #hubSays: { services: readonly ModelService[]; cities: readonly CityCluster[] } = {
    services: [],
    cities: [],
  };

  private constructor(region: Region) {
    this.#region = region;
  }

  /** Adds the scenario's services to a region that has its cities. */
  static async open(region: Region, { services }: Scenario): Promise<ClusterStage> {
    const stage = new ClusterStage(region);
    for (const city of [HUB_NAME, ...region.cities.keys()]) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
      await region.city(city).apply(JSON.stringify(namespace));
    }
    for (const [name, spec] of Object.entries(services)) await stage.add(name, spec);
    return stage;
  }

  async stopClients(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((clients) => clients.stop()));
    this.#clients.clear();
  }

  /** Ends the clients and deletes the services; resolves when the cities that can be looked at run nothing of them. */
  async close(): Promise<void> {
    await this.stopClients();
    const names = [...this.#names];
    for (const name of names) await this.delete(name);
    await this.#region.hub.until('nothing is left', 120, async () => {
      const { services } = await this.look();
      return names.every((name) => Object.values(services[name]?.runs ?? {}).every((pods) => !pods));
    });
  }

  elapsed(): number {
    return (performance.now() - this.#startedAtMs) / 1000;
  }

  async pass(seconds: number): Promise<void> {
    await new Promise((later) => setTimeout(later, seconds * 1000));
  }

  async look(): Promise<Picture> {
    const [runs] = await Promise.all([this.#podsByCity(), this.#askHub()]);
    const { services, cities } = this.#hubSays;
    const pictureOf = (name: string): ServicePicture => {
      const found = services.find(({ metadata }) => metadata.name === name);
      const status = found?.status;
      return {
        ready: Object.fromEntries(
          (status?.cities ?? []).filter(({ known }) => known).map((one) => [one.city, one.readyReplicas]),
        ),
        runs: Object.fromEntries([...runs].map(([city, pods]) => [city, pods && (pods.get(name) ?? 0)])),
        waiting: status?.placement?.waiting ?? 0,
        ...(status?.placement?.reason ? { why: status.placement.reason } : {}),
        decisions: Object.fromEntries((status?.decisions ?? []).map(({ city, reason }) => [city, reason])),
        endpoints: (status?.endpoints ?? []).map(({ city }) => city),
      };
    };
    return {
      services: Object.fromEntries([...this.#names].map((name) => [name, pictureOf(name)])),
      cities: Object.fromEntries(cities.map((city) => [city.metadata.name, readyReason(city)])),
    };
  }

  /** The operators of all clusters that can be asked: their pods, and what these said last. */
  async evidence(): Promise<string> {
    const asked = [HUB_NAME, ...this.#region.cities.keys()].filter((name) => !this.#still.has(name));
    const texts = asked.map(async (name) => {
      const city = this.#region.city(name);
      const looks = [
        city.kubectl(['-n', OPERATOR_NAMESPACE, 'get', 'pods', '-o', 'wide']),
        city.podLogs(OPERATOR_NAMESPACE, OPERATOR_SELECTOR, 25),
      ].map((look) => look.catch((error: Error) => error.message));
      return `--- ${name}\n${(await Promise.all(looks)).join('\n')}`;
    });
    return (await Promise.all(texts)).join('\n');
  }

  async clientsFollow(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((clients) => clients.untilReadAgain()));
  }

  unanswered(service: string, sinceSeconds: number): string[] {
    const sinceMs = this.#startedAtMs + sinceSeconds * 1000;
    return this.#clients
      .get(service)!
      .unansweredSince(sinceMs)
      .map(({ city, why }) => `${city}: ${why}`);
  }

  async partition(city: string): Promise<void> {
    await this.#region.partition(city);
  }

  async heal(city: string): Promise<void> {
    await this.#region.heal(city);
  }

  async cutFromHub(city: string): Promise<void> {
    await this.#region.cutFromHub(city);
  }

  async reconnectToHub(city: string): Promise<void> {
    await this.#region.reconnectToHub(city);
  }

  async pause(city: string): Promise<void> {
    this.#still.add(city);
    await this.#region.city(city).faults.pause();
  }

  async resume(city: string): Promise<void> {
    await this.#region.city(city).faults.unpause();
    this.#still.delete(city);
  }

  async kill(city: string): Promise<void> {
    this.#still.add(city);
    await this.#region.kill(city);
  }

  async start(city: string): Promise<void> {
    await this.#region.start(city);
    this.#still.delete(city);
  }

  async killHub(): Promise<void> {
    await this.kill(HUB_NAME);
  }

  async startHub(): Promise<void> {
    await this.start(HUB_NAME);
  }

  async pauseHub(): Promise<void> {
    await this.pause(HUB_NAME);
  }

  async resumeHub(): Promise<void> {
    await this.resume(HUB_NAME);
  }

  async drain(city: string, drain: boolean): Promise<void> {
    const patch = JSON.stringify({ spec: { drain } });
    await this.#region.hub.kubectl(['patch', 'citycluster', city, '--type=merge', '--patch', patch]);
  }

  async scale(service: string, replicas: number): Promise<void> {
    await this.#kubectl('scale', `modelservice/${service}`, `--replicas=${replicas}`);
  }

  async edit(service: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    const patch = JSON.stringify({ spec });
    await this.#kubectl('patch', 'modelservice', service, '--type=merge', '--patch', patch);
  }

  async add(service: string, spec: ModelServiceSpec): Promise<void> {
    const metadata = { name: service, namespace: NAMESPACE };
    const small = { resources: SMALL, service: { type: 'NodePort' }, ...spec };
    await this.#region.hub.apply(
      JSON.stringify({ apiVersion: API_VERSION, kind: 'ModelService', metadata, spec: small }),
    );
    this.#names.add(service);
    const plan = { read: endpointsOn(this.#region, metadata), name: service, body: BODY, clients: 3 };
    if (!this.#clients.has(service)) this.#clients.set(service, new EndpointClients(plan));
  }

  async delete(service: string): Promise<void> {
    await this.#kubectl('delete', 'modelservice', service, '--ignore-not-found', '--wait=false');
  }

  async #kubectl(...args: string[]): Promise<void> {
    await this.#region.hub.kubectl(['-n', NAMESPACE, ...args]);
  }

  /**
   * What a hub that is away said last stays what is known. One that is only busy is asked until it answers: what it said
   * before a step must not pass for what came of it.
   */
  async #askHub(): Promise<void> {
    if (this.#still.has(HUB_NAME)) return;
    const hub = this.#region.client(HUB_NAME);
    await this.#region.hub.until('the hub answers', 60, async () => {
      const [services, cities] = await Promise.all([
        hub.list<ModelService>(resources.ModelService, { namespace: NAMESPACE, ...CALL }),
        hub.list<CityCluster>(resources.CityCluster, CALL),
      ]);
      this.#hubSays = { services: services.items, cities: cities.items };
      return true;
    });
  }

  async #podsByCity(): Promise<Map<string, Map<string, number> | undefined>> {
    const found = [...this.#region.cities.keys()].map(async (city) => {
      return [city, this.#still.has(city) ? undefined : await this.#podsIn(city)] as const;
    });
    return new Map(await Promise.all(found));
  }

  /** Pods that are not on their way out, by service. */
  async #podsIn(city: string): Promise<Map<string, number> | undefined> {
    const selection = { namespace: NAMESPACE, labelSelector: LABELS.service, ...CALL };
    const pods = await this.#region
      .client(city)
      .list<Pod>(resources.Pod, selection)
      .catch(() => undefined);
    if (!pods) return undefined;
    const counts = new Map<string, number>();
    for (const { metadata, status } of pods.items) {
      const isOver = metadata.deletionTimestamp !== undefined || /Succeeded|Failed/.test(status.phase);
      const service = metadata.labels![LABELS.service]!;
      if (!isOver) counts.set(service, (counts.get(service) ?? 0) + 1);
    }
    return counts;
  }
}

type Pod = KubeObject & { readonly status: { readonly phase: string } };

function readyReason({ status }: CityCluster): string {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? 'not told';
}

/** The cities of a scenario as a region starts them. */
export function regionCities(cities: Readonly<Record<string, ScenarioCity>>) {
  return Object.fromEntries(
    Object.entries(cities).map(([name, { gpus, labels, ...spec }]) => [name, { gpus, labels, spec }]),
  );
}
