/** A model in service in every city: replicas, real forecasts, one edited number. Each act ends with claims that were checked. */

import { endpointsOn, type ReachedEndpoint } from '../../test/region/endpoint-clients.ts';
import type { Region } from '../../test/region/region.ts';
import { evaluateHeldOutMonth } from '../traffic/evaluation.ts';
import { PROTOCOLS } from '../traffic/protocols.ts';
import type { Case } from '../traffic/releases.ts';
import { formatScore, improvementPercent } from '../traffic/score.ts';
import type { Stage } from './stage.ts';
import {
  conditionOf,
  isReady,
  NAME,
  NAMESPACE,
  type PodFacts,
  type TrafficService,
} from './traffic-service.ts';

export interface Scene {
  readonly stage: Stage;
  readonly region: Region;
  readonly traffic: TrafficService;
}

/** What one version of the model gives for the first hour of the held-out month. */
export interface Forecast {
  readonly firstHour: number;
  readonly cases: readonly Case[];
}

export async function placeOverCities({ stage, region, traffic }: Scene): Promise<void> {
  await traffic.apply();
  const service = await traffic.until('three replicas', 300, (seen) => isReady(seen, 3));
  stage.say(await traffic.table(), await region.hub.kubectl(['get', 'cities']));
  const pods = await traffic.pods();
  stage.claim(
    'each city has one replica with a GPU, and all have answered a real inference of version 1',
    region.cities.size === 3 &&
      citiesOf(pods).join() === [...region.cities.keys()].sort().join() &&
      service.status?.model?.version === '1',
    pods.map(({ city, name }) => `${name} in ${city}`).join(', '),
  );
  const endpoints = service.status?.endpoints ?? [];
  stage.claim(
    'the hub says where clients go: every city with its address and weight',
    endpoints.length === 3 && endpoints.every(({ weight }) => weight === 1),
    endpoints.map(({ city, url, weight }) => `${city} ${url} weight ${weight}`).join(', '),
  );
}

/** The held-out month in both protocols, each from another city, beside the naive forecast. */
export async function forecastMonth(
  { stage, region }: Scene,
  version: number,
  minimumPercent: number,
): Promise<Forecast> {
  const endpoints = await endpointsOn(region, { name: NAME, namespace: NAMESPACE })();
  const asked = PROTOCOLS.map((protocol, at) => ({ protocol, at: endpoints[at % endpoints.length]! }));
  const [tfs, oip] = await Promise.all(
    asked.map(({ protocol, at }) =>
      evaluateHeldOutMonth({ url: at.reached, model: NAME, protocol, timeoutSeconds: 60 }),
    ),
  );
  if (!tfs || !oip) throw new Error('there are two protocols');
  const better = improvementPercent(tfs.model, tfs.naive);
  stage.say(
    `December 2012, ${tfs.model.hours} hours that the model has never seen, day by day through the service:`,
    `  the model's forecasts:  ${formatScore(tfs.model)}`,
    `  same hour last week:    ${formatScore(tfs.naive)}`,
  );
  stage.claim(
    `version ${version} beats "same hour last week" by a clear margin`,
    better >= minimumPercent,
    `${formatScore(tfs.model)}; MAE is ${better.toFixed(0)} % lower, at least ${minimumPercent} % wanted`,
  );
  const apart = Math.max(
    ...tfs.forecasts.map((users, index) => Math.abs(users - (oip.forecasts[index] ?? Infinity))),
  );
  stage.claim(
    `version ${version} answers the same in TensorFlow Serving REST and the Open Inference Protocol, in one city and in another`,
    apart < 0.01,
    `${tfs.forecasts.length} hours from ${asked.map(told).join(' and from ')}, at most ${apart.toExponential(1)} users apart`,
  );
  return { firstHour: rounded(tfs.forecasts[0] ?? Number.NaN), cases: tfs.cases };
}

const told = ({ protocol, at }: { protocol: string; at: ReachedEndpoint }) => `${at.city} (${protocol})`;

export async function scaleUp({ stage, region, traffic }: Scene, replicas: number): Promise<void> {
  const before = await traffic.pods();
  await traffic.edit('replicas', replicas);
  await traffic.until(`${replicas} replicas`, 300, (seen) => isReady(seen, replicas));
  stage.say(await traffic.table(), await region.hub.kubectl(['get', 'cities']));
  const after = await traffic.pods();
  stage.claim(
    `one edited number made ${replicas} replicas over the cities, and left those alone that were there`,
    after.length === replicas &&
      before.every((pod) => after.some(({ uid, restarts }) => uid === pod.uid && restarts === 0)),
    [...region.cities.keys()]
      .map((city) => `${city} ${after.filter((pod) => pod.city === city).length}`)
      .join(', '),
  );
}

/** More replicas than the region has GPUs for: the status says so, and going back costs nothing. */
export async function tooMany({ stage, traffic }: Scene, gpus: number, back: number): Promise<void> {
  await traffic.edit('replicas', gpus + 1);
  const service = await traffic.until('a sentence about GPUs', 120, (seen) => {
    return (
      conditionOf(seen, 'Placed')?.reason === 'InsufficientCapacity' && seen.status?.readyReplicas === gpus
    );
  });
  stage.say(await traffic.table());
  await traffic.edit('replicas', back);
  await traffic.until(`${back} replicas again`, 120, (seen) => isReady(seen, back));
  const after = await traffic.pods();
  stage.claim(
    'a replica that no city has room for waits, and the status says why',
    after.length === back && after.every(({ restarts }) => restarts === 0),
    `"${conditionOf(service, 'Placed')?.message}"`,
  );
}

/** Batches of different sizes differ in the last bits of a float. */
export function rounded(users: number): number {
  return Math.round(users * 100) / 100;
}

function citiesOf(pods: readonly PodFacts[]): string[] {
  return pods.map(({ city }) => city).sort();
}
