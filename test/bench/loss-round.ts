/** How soon a lost city is replaced, and how much a city says at rest: a hub and three cities as real clusters. */
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import { resources } from '../../operator/kube/resources.ts';
import { installationImages, OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../region/installation.ts';
import { say, step } from '../region/progress.ts';
import { HUB_NAME, Region } from '../region/region.ts';
import { metricSum } from './metric-sum.ts';

export interface LossTimes {
  /** For each loss: from the cut until as many replicas as are guaranteed were ready elsewhere, less the grace. */
  readonly seconds: readonly number[];
  /** Reports and heartbeats of one city in a minute at rest, with the longest heartbeat. */
  readonly messagesPerMinute: number;
}

const SERVICE = { namespace: 'bench', name: 'traffic' };
const REPLICAS = 3;
const GRACE_SECONDS = 15;
const REST_MINUTES = 3;
const CITIES = ['porto', 'lisboa', 'faro'];

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
    await untilReady(region, 180);
    const messagesPerMinute = await step('listening to the cities at rest', () => atRest(region));
    await apply(region, { failover: { graceSeconds: GRACE_SECONDS } });
    // Every city has heard that it is to beat more often.
    await sleep(60);
    const seconds: number[] = [];
    for (let loss = 0; loss < losses; loss++) {
      seconds.push(await step(`loss ${loss + 1} of ${losses}`, () => lose(region)));
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

/** Cuts off a city that has replicas, and heals it when it is replaced. @returns seconds beyond the grace */
async function lose(region: Region): Promise<number> {
  const { status } = await untilReady(region, 180);
  const { city: lost, readyReplicas: had } = status!.cities!.find(({ readyReplicas }) => readyReplicas > 0)!;
  const cutAt = performance.now();
  await region.partition(lost);
  await until(region, 120, ({ status }) => {
    const elsewhere = (status?.cities ?? []).filter(({ city, known }) => known && city !== lost);
    return elsewhere.reduce((sum, { readyReplicas }) => sum + readyReplicas, 0) >= REPLICAS;
  });
  const seconds = (performance.now() - cutAt) / 1000 - GRACE_SECONDS;
  say(`${lost} had ${had} of ${REPLICAS} replicas: ready elsewhere ${seconds.toFixed(1)} s after the grace`);
  await region.heal(lost);
  await until(region, 120, ({ status }) => status?.cities?.every(({ known }) => known) === true);
  await region.untilHeard();
  // What is held twice is given up.
  await until(region, 120, ({ status }) => status?.replicas === REPLICAS);
  return seconds;
}

async function untilReady(region: Region, timeoutSeconds: number): Promise<ModelService> {
  return await until(region, timeoutSeconds, ({ status }) => (status?.readyReplicas ?? 0) >= REPLICAS);
}

async function until(
  region: Region,
  timeoutSeconds: number,
  isSo: (service: ModelService) => boolean,
): Promise<ModelService> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    const service = await region.client(HUB_NAME).get<ModelService>(resources.ModelService, SERVICE);
    if (isSo(service)) return service;
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutSeconds} s; the status was ${JSON.stringify(service.status)}`);
    }
    await sleep(0.1);
  }
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
