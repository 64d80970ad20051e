/** How soon a lost city is replaced, and how much a city says at rest: a hub and three cities as real clusters. */
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import { CITY_OBJECTS, cityNamespace } from '../../crds/region.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { type Resource, resources } from '../../operator/kube/resources.ts';
import type { LeaseLike } from '../../operator/plan/hub/ear.ts';
import { installationImages, OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../region/installation.ts';
import { say, step } from '../region/progress.ts';
import { HUB_NAME, Region } from '../region/region.ts';
import { metricSum } from './metric-sum.ts';

export interface LossTimes {
  /**
   * For each loss: from the cut, which comes right after a heartbeat of the city, until as many replicas as are guaranteed
   * are ready elsewhere, less the grace.
   */
  readonly seconds: Readonly<Record<Arrangement, readonly number[]>>;
  /** Reports and heartbeats of one city in a minute at rest, with the longest heartbeat. */
  readonly messagesPerMinute: number;
}

/** How the replicas stand before a city is lost: one in each city, or all in the one that is lost. */
export type Arrangement = 'spread' | 'together';

export const REPLICAS = 3;
const SERVICE = { namespace: 'bench', name: 'traffic' };
const GRACE_SECONDS = 15;
const REST_MINUTES = 3;
const CITIES = ['porto', 'lisboa', 'faro'];
const SPREADS: Readonly<Record<Arrangement, object>> = {
  spread: { topologyKey: 'aicity.io/city', maxSkew: 1 },
  together: { topologyKey: 'aicity.io/city', maxGroups: 1 },
};
/** A city that is lost for the third time within a while settles for four minutes. */
const SETTLED_SECONDS = 600;

/** @param losses with each arrangement */
export async function lossRound(losses: number): Promise<LossTimes> {
  const images = await installationImages();
  const region = await Region.start({
    images,
    cities: Object.fromEntries(CITIES.map((name) => [name, { gpus: 4 }])),
  });
  try {
    const bench = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SERVICE.namespace } };
    await region.hub.apply(JSON.stringify(bench));
    await apply(region, { failover: { graceSeconds: 90 } });
    await untilService(region, 180, ({ status }) => status?.readyReplicas === REPLICAS);
    const messagesPerMinute = await step('listening to the cities at rest', () => atRest(region));
    const seconds: Record<Arrangement, number[]> = { spread: [], together: [] };
    for (const arrangement of ['spread', 'together'] as const) {
      await apply(region, { failover: { graceSeconds: GRACE_SECONDS }, spread: SPREADS[arrangement] });
      // Every city has heard that it is to beat more often.
      await sleep(60);
      for (let loss = 1; loss <= losses; loss++) {
        const what = `loss ${loss} of ${losses}, replicas ${arrangement}`;
        seconds[arrangement].push(
          await step(what, () => lose(region, arrangement, CITIES[loss % CITIES.length]!)),
        );
      }
    }
    return { seconds, messagesPerMinute };
  } finally {
    await region.stop();
  }
}

async function apply(region: Region, placement: object): Promise<void> {
  const spec = {
    model: { uri: 'http://model-store.models.svc/traffic', version: 1 },
    replicas: REPLICAS,
    resources: { requests: { cpu: '20m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    placement,
  };
  const service = { apiVersion: API_VERSION, kind: 'ModelService', metadata: SERVICE, spec };
  await region.hub.apply(JSON.stringify(service));
}

/**
 * Cuts a city off that has replicas, right after one of its heartbeats, from which the hub counts the grace; heals it when it
 * is replaced.
 *
 * @param wanted the city to lose if it has replicas: one that is lost again and again settles for longer and longer
 * @returns seconds beyond the grace
 */
async function lose(region: Region, arrangement: Arrangement, wanted: string): Promise<number> {
  await region.untilSteady(SETTLED_SECONDS);
  const each = arrangement === 'spread' ? REPLICAS / CITIES.length : REPLICAS;
  const { status } = await untilService(region, SETTLED_SECONDS, ({ status }) => {
    const serving = (status?.cities ?? []).filter(({ replicas }) => replicas > 0);
    return serving.length === REPLICAS / each && serving.every(({ readyReplicas }) => readyReplicas === each);
  });
  const serving = status!.cities!.filter(({ readyReplicas }) => readyReplicas > 0).map(({ city }) => city);
  const lost = serving.includes(wanted) ? wanted : serving[0]!;
  await untilHeartbeat(region, lost);
  const cutAt = performance.now();
  await region.partition(lost);
  await untilService(region, 120, ({ status }) => {
    const elsewhere = (status?.cities ?? []).filter(({ city, known }) => known && city !== lost);
    return elsewhere.reduce((sum, { readyReplicas }) => sum + readyReplicas, 0) >= REPLICAS;
  });
  const seconds = (performance.now() - cutAt) / 1000 - GRACE_SECONDS;
  say(`${lost} had ${each} of ${REPLICAS} replicas: ready elsewhere ${seconds.toFixed(1)} s after the grace`);
  await region.heal(lost);
  await region.untilHeard();
  // What is held twice is given up.
  await untilService(region, 120, ({ status }) => status?.replicas === REPLICAS);
  return seconds;
}

async function untilHeartbeat(region: Region, city: string): Promise<void> {
  const beat = { namespace: cityNamespace(city), name: CITY_OBJECTS.lease };
  let last: string | undefined;
  await untilSeen<KubeObject & LeaseLike>(region, resources.Lease, beat, 60, ({ spec }) => {
    const isNew = last !== undefined && spec?.renewTime !== last;
    last = spec?.renewTime;
    return isNew;
  });
}

async function untilService(
  region: Region,
  timeoutSeconds: number,
  isSo: (service: ModelService) => boolean,
): Promise<ModelService> {
  return await untilSeen(region, resources.ModelService, SERVICE, timeoutSeconds, isSo);
}

/** A watch of the hub, since questions again and again would take a share of the cores that are measured. */
async function untilSeen<T extends KubeObject>(
  region: Region,
  resource: Resource,
  { namespace, name }: { namespace: string; name: string },
  timeoutSeconds: number,
  isSo: (object: T) => boolean,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const options = { namespace, fieldSelector: `metadata.name=${name}`, timeoutSeconds: 3600, signal };
  let last: unknown;
  try {
    for await (const { type, object } of region.client(HUB_NAME).watch<T>(resource, options)) {
      if (type !== 'ADDED' && type !== 'MODIFIED') continue;
      if (isSo(object)) return object;
      last = object;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  throw new Error(`${resource.kind} ${name}: not within ${timeoutSeconds} s; it was ${JSON.stringify(last)}`);
}

/** By the city's own count of what the hub has answered. */
async function atRest(region: Region): Promise<number> {
  await sleep(60);
  const before = await messagesOf(region);
  await sleep(REST_MINUTES * 60);
  return ((await messagesOf(region)) - before) / REST_MINUTES / CITIES.length;
}

async function messagesOf(region: Region): Promise<number> {
  const counts = [...region.cities.values()].map(async (city) => {
    const pods = ['-n', OPERATOR_NAMESPACE, 'get', 'pods', '-l', OPERATOR_SELECTOR];
    const pod = await city.kubectl([...pods, '-o', 'jsonpath={.items[0].metadata.name}']);
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${pod}:8080/proxy/metrics`;
    return metricSum(await city.kubectl(['get', '--raw', path]), 'aicity_hub_messages_total');
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function sleep(seconds: number): Promise<void> {
  await new Promise((later) => setTimeout(later, seconds * 1000));
}
