/** The traffic service as `kubectl` shows it, on the hub and in its cities. */
import { readFileSync } from 'node:fs';
import type { ModelService } from '../../crds/model-service.ts';
import type { City } from '../../test/region/city.ts';
import { clock } from '../../test/region/progress.ts';
import type { Stage } from './stage.ts';

export const NAMESPACE = 'city';
export const NAME = 'traffic';
export const MANIFEST = 'examples/traffic/traffic-region.yaml';

export interface PodFacts {
  readonly city: string;
  readonly name: string;
  readonly uid: string;
  readonly restarts: number;
  /** `nvidia.com/gpu` that the scheduler has set aside for it. */
  readonly gpus: number;
}

export class TrafficService {
  readonly #hub: Pick<City, 'kubectl'>;
  readonly #cities: ReadonlyMap<string, Pick<City, 'kubectl'>>;
  readonly #stage: Stage;
  #manifest = readFileSync(new URL(`../../${MANIFEST}`, import.meta.url), 'utf8');

  constructor(
    { hub, cities }: { hub: Pick<City, 'kubectl'>; cities: ReadonlyMap<string, Pick<City, 'kubectl'>> },
    stage: Stage,
  ) {
    this.#hub = hub;
    this.#cities = cities;
    this.#stage = stage;
  }

  /** `kubectl apply -f` of the manifest as it stands in the repository. */
  async apply(): Promise<void> {
    this.#stage.command(`kubectl apply -n ${NAMESPACE} -f ${MANIFEST}`);
    await this.#applyText();
  }

  /** Changes one number in the manifest, shows the changed line and applies it. */
  async edit(field: 'replicas' | 'version', value: number): Promise<void> {
    const line = new RegExp(`^( *${field}: )(\\d+)$`, 'm');
    const [before] = line.exec(this.#manifest) ?? [];
    if (!before) throw new Error(`${MANIFEST} has no line "${field}: NUMBER"`);
    this.#manifest = this.#manifest.replace(line, `$1${value}`);
    this.#stage.say(`- ${before}`, `+ ${before.replace(/\d+$/, String(value))}`);
    this.#stage.command(`kubectl apply -n ${NAMESPACE} -f -`);
    await this.#applyText();
  }

  async get(): Promise<ModelService> {
    return JSON.parse(await this.#kubectl('get', 'modelservice', NAME, '-o', 'json')) as ModelService;
  }

  /** What a person reads. */
  async table(): Promise<string> {
    return await this.#kubectl('get', 'ms', NAME);
  }

  /**
   * Waits until the status is as wanted, for the present generation of the spec; shows each new message of the
   * condition as it comes.
   */
  async until(
    what: string,
    timeoutSeconds: number,
    wanted: (service: ModelService) => boolean,
    shown: 'Ready' | 'ModelAvailable' = 'Ready',
  ): Promise<ModelService> {
    const startedAt = performance.now();
    let last = '';
    for (;;) {
      const service = await this.get();
      const condition = conditionOf(service, shown);
      const line = condition ? `${shown}=${condition.status} ${condition.reason}: ${condition.message}` : '';
      if (line !== last && line) this.#stage.say(`${clock(performance.now() - startedAt)}  ${line}`);
      last = line;
      if (isCurrent(service) && wanted(service)) return service;
      if (performance.now() - startedAt > timeoutSeconds * 1000)
        throw new Error(`${what}: not after ${timeoutSeconds} s; last seen: ${last || 'no status'}`);
      await new Promise((later) => setTimeout(later, 1_000));
    }
  }

  /** Pods in all cities that are not on their way out, by city and name. */
  async pods(): Promise<PodFacts[]> {
    const inCities = [...this.#cities].map(async ([city, cluster]) => {
      const args = ['-n', NAMESPACE, 'get', 'pods', '-l', `aicity.io/service=${NAME}`, '-o', 'json'];
      const { items } = JSON.parse(await cluster.kubectl(args)) as { items: Pod[] };
      return items
        .filter(({ metadata }) => !metadata.deletionTimestamp)
        .map((pod) => factsOf(city, pod))
        .sort((a, b) => a.name.localeCompare(b.name));
    });
    return (await Promise.all(inCities)).flat();
  }

  async #applyText(): Promise<void> {
    await this.#hub.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], this.#manifest);
  }

  async #kubectl(...args: string[]): Promise<string> {
    return await this.#hub.kubectl(['-n', NAMESPACE, ...args]);
  }
}

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string };
  spec: { containers: { resources?: { limits?: Record<string, string> } }[] };
  status: { containerStatuses?: { restartCount: number }[] };
}

function factsOf(city: string, { metadata, spec, status }: Pod): PodFacts {
  return {
    city,
    name: metadata.name,
    uid: metadata.uid,
    restarts: (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
    gpus: spec.containers.reduce(
      (sum, { resources }) => sum + Number(resources?.limits?.['nvidia.com/gpu'] ?? 0),
      0,
    ),
  };
}

export function conditionOf({ status }: ModelService, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** Ready with this many replicas, and nothing left to do. */
export function isReady(service: ModelService, replicas: number): boolean {
  return (
    conditionOf(service, 'Ready')?.status === 'True' &&
    service.status?.readyReplicas === replicas &&
    service.status.replicas === replicas
  );
}

function isCurrent({ metadata, status }: ModelService): boolean {
  return status?.observedGeneration === metadata.generation;
}
