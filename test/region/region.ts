/**
 * A whole region: a hub and its cities as clusters of their own, which share one network and nothing else. The operator is
 * installed into each by its chart; the cities dial in to the hub with a token, as they would through NAT.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import { repository } from './cache.ts';
import type { City } from './city.ts';
import { run } from './command.ts';
import { type Images, installOperator, openModelStore } from './installation.ts';
import { step } from './progress.ts';
import { startCity } from './start-city.ts';

/** What people write about a city, and the GPUs that its only node offers. */
export interface RegionCity {
  readonly gpus: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of the CityCluster. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface RegionOptions {
  readonly images: Images;
  readonly cities: Readonly<Record<string, RegionCity>>;
  /** All stays when this process ends. */
  readonly keep?: boolean;
}

/** The hub's host name on the shared network. */
export const HUB_NAME = 'hub';
export const API_PORT = 6443;
/** The network that all clusters of a region share. */
export const NETWORK = 'region';

export class Region {
  readonly hub: City;
  readonly cities: ReadonlyMap<string, City>;
  /** Calls to the API server of each cluster, over kept connections; a killed cluster comes back at the same port. */
  readonly clients: ReadonlyMap<string, HttpKubeClient>;
  readonly #addresses = new Map<string, string>();

  private constructor(hub: City, cities: ReadonlyMap<string, City>) {
    this.hub = hub;
    this.cities = cities;
    this.clients = new Map(
      [...cities, [HUB_NAME, hub] as const].map(([name, city]) => [name, clientOf(city)]),
    );
  }

  /** Starts all clusters, installs the operator into each, and resolves when the hub would place in every city. */
  static async start({ images, cities, keep = false }: RegionOptions): Promise<Region> {
    const started: City[] = [];
    const start = async (name: string, gpus: number): Promise<City> => {
      const city = await startCity({ name, gpus, wan: NETWORK, keep });
      started.push(city);
      return city;
    };
    try {
      const hub = await start(HUB_NAME, 0);
      const hubIsReady = step('installing the hub', async () => {
        await hub.loadImages([images.operator]);
        await installOperator(hub, images, ['--set', 'hub.enabled=true', '--set', 'replicas=1']);
      });
      // A rejection while cities start is told when it is awaited.
      hubIsReady.catch(() => {});
      const clusters = new Map<string, City>();
      for (const [name, { gpus }] of Object.entries(cities)) {
        const city = await start(name, gpus);
        await city.loadImages(Object.values(images));
        clusters.set(name, city);
      }
      await hubIsReady;
      const region = new Region(hub, clusters);
      for (const [name, city] of Object.entries(cities)) await region.#join(name, city, images);
      await region.#untilOpen(cities);
      return region;
    } catch (error) {
      await Promise.all(started.map((city) => city.stop()));
      throw error;
    }
  }

  city(name: string): City {
    const found = name === HUB_NAME ? this.hub : this.cities.get(name);
    if (!found) throw new Error(`there is no city ${name}; there are ${[...this.cities.keys()].join(', ')}`);
    return found;
  }

  client(name: string): HttpKubeClient {
    return this.clients.get(name)!;
  }

  /**
   * Where a host of the shared network is reached from this machine, over the shared network only: one that is cut off is
   * not reached there.
   */
  async addressOf(name: string): Promise<string> {
    const known = this.#addresses.get(name) ?? (await this.city(name).wanAddress());
    if (!known) throw new Error(`${name} is not on the shared network`);
    this.#addresses.set(name, known);
    return known;
  }

  /** Nobody reaches the city and it reaches nobody; what runs in it goes on. */
  async partition(name: string): Promise<void> {
    await this.addressOf(name);
    await this.city(name).faults.partition();
  }

  async heal(name: string): Promise<void> {
    await this.city(name).faults.heal();
    this.#addresses.delete(name);
  }

  /** Only the hub and the city lose each other. */
  async cutFromHub(name: string): Promise<void> {
    await this.city(name).faults.blackHole(await this.addressOf(HUB_NAME));
  }

  async reconnectToHub(name: string): Promise<void> {
    await this.city(name).faults.clearBlackHole(await this.addressOf(HUB_NAME));
  }

  /** A power cut of the hub or of a city; its data stays. */
  async kill(name: string): Promise<void> {
    await this.addressOf(name);
    await this.city(name).faults.kill();
  }

  /** Resolves when its cluster is up again. */
  async start(name: string): Promise<void> {
    await this.city(name).faults.restart();
    this.#addresses.delete(name);
  }

  async untilHeard(): Promise<void> {
    await this.#untilCities('heard', '{.status.conditions[?(@.type=="Ready")].status}', () => 'True', 120);
  }

  /** Resolves when no city is lost or settles any longer: one that was lost again and again settles for minutes. */
  async untilSteady(timeoutSeconds: number): Promise<void> {
    const reason = '{.status.conditions[?(@.type=="Ready")].reason}';
    await this.#untilCities('steady', reason, () => 'Heard', timeoutSeconds);
  }

  /**
   * A city that settles after a loss, or that has told of no GPUs yet, is ready and gets nothing; and what is placed stays
   * where it is.
   */
  async #untilOpen(cities: RegionOptions['cities']): Promise<void> {
    const sight = '{.status.conditions[?(@.type=="Ready")].reason} {.status.free}';
    const expected = (name: string) => {
      const { gpus } = cities[name]!;
      return `Heard ${gpus > 0 ? `${gpus}/${gpus}` : ''}`;
    };
    await this.#untilCities('open', sight, expected, 120);
  }

  /** @param sight what of a CityCluster is looked at, as a JSONPath template */
  async #untilCities(
    what: string,
    sight: string,
    expected: (name: string) => string,
    timeoutSeconds: number,
  ): Promise<void> {
    const names = [...this.cities.keys()];
    await this.hub.until(`${names.join(', ')} are ${what}`, timeoutSeconds, async () => {
      const output = `jsonpath={range .items[*]}{.metadata.name} ${sight}{"\\n"}{end}`;
      const lines = (await this.hub.kubectl(['get', 'cityclusters', '-o', output])).split('\n');
      const others = names.filter((name) => !lines.includes(`${name} ${expected(name)}`));
      if (others.length > 0)
        throw new Error(`not ${what}: ${others.join(', ')}; the hub says: ${lines.join(', ')}`);
      return true;
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
    await Promise.all([this.hub, ...this.cities.values()].map((city) => city.stop()));
  }

  /** As a person does it: `kubectl aicity join` against the hub, and a Helm release with what it gives in the city. */
  async #join(name: string, { labels = {}, spec = {} }: RegionCity, images: Images): Promise<void> {
    await step(`joining ${name}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'aicity-join-'));
      try {
        const values = join(folder, 'values.yaml');
        await run(process.execPath, [
          ...[join(repository, 'operator', 'cli', 'main.ts'), 'join', name],
          ...['--kubeconfig', this.hub.kubeconfigPath, '--server', apiServer(HUB_NAME)],
          ...['--address', apiServer(name), '--output', values],
          ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ]);
        const patch = JSON.stringify({ spec });
        await this.hub.kubectl(['patch', 'citycluster', name, '--type=merge', '--patch', patch]);
        const flags = ['--values', values, '--set', `city.peerPorts={${API_PORT}}`, '--set', 'replicas=1'];
        const city = this.city(name);
        await Promise.all([installOperator(city, images, flags), openModelStore(city, images)]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
}

/** As other clusters of the region reach it. */
function apiServer(host: string): string {
  return `https://${host}:${API_PORT}`;
}

function clientOf({ name, kubeconfigPath }: City): HttpKubeClient {
  return new HttpKubeClient({ cluster: name, loadConfig: fromFile(kubeconfigPath) });
}
