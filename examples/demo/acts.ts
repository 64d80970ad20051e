/** A model in service: first replica, real forecasts, three replicas. Each act ends with claims that were checked. */
import { evaluateHeldOutMonth } from '../traffic/evaluation.ts';
import { PROTOCOLS } from '../traffic/protocols.ts';
import type { Case } from '../traffic/releases.ts';
import { formatScore, improvementPercent } from '../traffic/score.ts';
import type { Stage } from './stage.ts';
import { rounded } from './steady-load.ts';
import { conditionOf, isReady, NAME, type TrafficService } from './traffic-service.ts';

export interface Scene {
  readonly stage: Stage;
  readonly traffic: TrafficService;
  /** Where the service answers from this machine. */
  readonly url: string;
}

/** What one version of the model gives for the first hour of the held-out month. */
export interface Forecast {
  readonly firstHour: number;
  readonly cases: readonly Case[];
}

export async function firstReplica({ stage, traffic }: Scene): Promise<void> {
  await traffic.apply();
  const service = await traffic.until('the first replica', 300, (seen) => isReady(seen, 1));
  stage.say(await traffic.table());
  stage.claim(
    'one replica is ready: it has answered a real inference of version 1',
    service.status?.model?.version === '1',
    `status.model.version ${service.status?.model?.version}, digest ${service.status?.model?.digest}`,
  );
}

/** The held-out month in both protocols, beside the naive forecast. */
export async function forecastMonth(
  { stage, url }: Scene,
  version: number,
  minimumPercent: number,
): Promise<Forecast> {
  const [tfs, oip] = await Promise.all(
    PROTOCOLS.map((protocol) => evaluateHeldOutMonth({ url, model: NAME, protocol, timeoutSeconds: 60 })),
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
    `version ${version} answers the same in TensorFlow Serving REST and the Open Inference Protocol`,
    apart < 0.01,
    `${tfs.forecasts.length} hours, at most ${apart.toExponential(1)} users apart`,
  );
  return { firstHour: rounded(tfs.forecasts[0] ?? Number.NaN), cases: tfs.cases };
}

export async function scaleToThree({ stage, traffic }: Scene): Promise<void> {
  const [original] = await traffic.pods();
  await traffic.edit('replicas', 3);
  await traffic.until('three replicas', 300, (seen) => isReady(seen, 3));
  stage.say(await traffic.table());
  const pods = await traffic.pods();
  const kept = pods.find(({ uid }) => uid === original?.uid);
  stage.claim(
    'three replicas with a GPU each are ready after one edited number, and the first pod was left alone',
    pods.length === 3 && kept?.restarts === 0 && pods.every(({ gpus }) => gpus === 1),
    `pods ${pods.map(({ name }) => name).join(', ')}; ${original?.name} has ${kept?.restarts} restarts`,
  );
}

/** More replicas than the city has GPUs for: the status says who holds them, and going back costs nothing. */
export async function tooMany({ stage, traffic }: Scene, gpus: number): Promise<void> {
  await traffic.edit('replicas', gpus + 1);
  const service = await traffic.until('a sentence about GPUs', 120, (seen) => {
    const { reason, message = '' } = conditionOf(seen, 'Ready') ?? {};
    return reason === 'InsufficientGPU' && seen.status?.readyReplicas === gpus && message.includes(NAME);
  });
  stage.say(await traffic.table());
  await traffic.edit('replicas', 3);
  await traffic.until('three replicas again', 120, (seen) => isReady(seen, 3));
  const after = await traffic.pods();
  stage.claim(
    'a replica that gets no GPU waits, and the status says who holds them',
    after.length === 3 && after.every(({ restarts }) => restarts === 0),
    `"${conditionOf(service, 'Ready')?.message}"`,
  );
}
