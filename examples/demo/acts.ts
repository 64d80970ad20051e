/** What the demo shows once everything is installed. Each act ends with claims that were checked. */
import { evaluateHeldOutMonth } from '../traffic/evaluation.ts';
import { PROTOCOLS } from '../traffic/protocols.ts';
import type { Case } from '../traffic/releases.ts';
import { formatScore, improvementPercent } from '../traffic/score.ts';
import type { Stage } from './stage.ts';
import { rounded, SteadyLoad } from './steady-load.ts';
import { conditionOf, isReady, type PodFacts, type TrafficService } from './traffic-service.ts';

export interface Scene {
  readonly stage: Stage;
  readonly traffic: TrafficService;
  /** Where the service answers from this machine. */
  readonly url: string;
}

/** What version of the model gives for the first hour of the held-out month. */
export interface Forecast {
  readonly firstHour: number;
  readonly cases: readonly Case[];
}

const MODEL = 'traffic';

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
export async function forecastMonth({ stage, url }: Scene, minimumPercent: number): Promise<Forecast> {
  const [tfs, oip] = await Promise.all(
    PROTOCOLS.map((protocol) => evaluateHeldOutMonth({ url, model: MODEL, protocol, timeoutSeconds: 60 })),
  );
  if (!tfs || !oip) throw new Error('there are two protocols');
  const better = improvementPercent(tfs.model, tfs.naive);
  stage.say(
    `December 2012, ${tfs.model.hours} hours that the model has never seen, day by day through the service:`,
    `  the model's forecasts:  ${formatScore(tfs.model)}`,
    `  same hour last week:    ${formatScore(tfs.naive)}`,
  );
  stage.claim(
    'the forecasts beat "same hour last week" by a clear margin',
    better >= minimumPercent,
    `MAE ${better.toFixed(0)} % lower, at least ${minimumPercent} % wanted`,
  );
  const apart = Math.max(
    ...tfs.forecasts.map((users, index) => Math.abs(users - (oip.forecasts[index] ?? Infinity))),
  );
  stage.claim(
    'TensorFlow Serving REST and the Open Inference Protocol give the same answers',
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
    'three replicas are ready after one edited number, and the first pod was left alone',
    pods.length === 3 && kept?.restarts === 0,
    `pods ${pods.map(({ name }) => name).join(', ')}; ${original?.name} has ${kept?.restarts} restarts`,
  );
}

/** Load in the status while requests run. */
export async function underLoad({ stage, traffic, url }: Scene, { cases }: Forecast): Promise<void> {
  const load = new SteadyLoad(endpoint(url), {
    clients: 12,
    pauseMilliseconds: 0,
    cases: cases.slice(0, 168),
  });
  stage.say('12 clients ask for a week each, without a break');
  try {
    const service = await traffic.until('load in the status', 60, ({ status }) => {
      const seen = status?.load;
      return (
        (seen?.requestsPerSecond ?? 0) > 0 && (seen?.busyPercent ?? 0) > 0 && seen?.reportingReplicas === 3
      );
    });
    stage.say(await traffic.table());
    const seen = service.status?.load;
    const answered = (await load.stop()).answered;
    stage.claim(
      'the replicas report their own load, and the status shows it',
      answered > 0,
      `${seen?.reportingReplicas} replicas: ${seen?.busyPercent} % busy, ${seen?.requestsPerSecond?.toFixed(0)} requests/s, ` +
        `${seen?.queueTimeMilliseconds} ms wait; the clients counted ${answered} answers`,
    );
  } finally {
    await load.stop();
  }
}

/** A new model version in the same pods, with requests running all the while. */
export async function newVersion(scene: Scene, before: Forecast): Promise<void> {
  const { stage, traffic, url } = scene;
  const pods = await traffic.pods();
  const load = new SteadyLoad(endpoint(url), {
    clients: 6,
    pauseMilliseconds: 5,
    cases: before.cases.slice(0, 24),
  });
  stage.say('6 clients ask for a day each, all the while');
  try {
    await untilAnswered(load, 100);
    await traffic.edit('version', 2);
    await traffic.until('version 2', 180, (seen) => isReady(seen, 3) && seen.status?.model?.version === '2');
    await untilAnswered(load, load.answered + 200);
    const { answered, failures, answers, lastAnswer, seconds } = await load.stop();
    stage.say(await traffic.table());
    const after = await forecastMonth(scene, 45);
    stage.claim(
      'version 2 replaced version 1 without one failed request',
      failures.length === 0 && lastAnswer === after.firstHour,
      failures[0] ?? `${answered} requests in ${seconds.toFixed(0)} s, 0 failed`,
    );
    stage.claim(
      'every answer came from one of the two versions, whole',
      [...answers.keys()].every((answer) => [before.firstHour, after.firstHour].includes(answer)),
      `for the first hour: ${[...answers].map(([users, times]) => `${users} users ${times} times`).join(', ')}`,
    );
    stage.claim('the pods are the same, none restarted', same(pods, await traffic.pods()), describe(pods));
  } finally {
    await load.stop();
  }
}

/** A version that does not exist: the status says so, and the city does not notice. */
export async function mistake({ stage, traffic, url }: Scene, { cases }: Forecast): Promise<void> {
  const pods = await traffic.pods();
  const load = new SteadyLoad(endpoint(url), {
    clients: 2,
    pauseMilliseconds: 50,
    cases: cases.slice(0, 24),
  });
  try {
    await traffic.edit('version', 99);
    const service = await traffic.until(
      'a sentence about version 99',
      90,
      (seen) => conditionOf(seen, 'ModelAvailable')?.status === 'False' && /99/.test(sentence(seen)),
      'ModelAvailable',
    );
    await untilAnswered(load, load.answered + 20);
    await traffic.edit('version', 2);
    await traffic.until(
      'version 2 again',
      90,
      (seen) => isReady(seen, 3) && seen.status?.model?.version === '2',
    );
    const { answered, failures } = await load.stop();
    stage.claim(
      'a version that is not there is told in a sentence, while version 2 goes on answering',
      failures.length === 0 && same(pods, await traffic.pods()),
      failures[0] ?? `"${sentence(service)}"; ${answered} requests, 0 failed`,
    );
  } finally {
    await load.stop();
  }
}

const endpoint = (url: string) => ({ url, model: MODEL, protocol: 'tfs', timeoutSeconds: 30 }) as const;

const sentence = (service: Parameters<typeof conditionOf>[0]) =>
  conditionOf(service, 'ModelAvailable')?.message ?? '';

async function untilAnswered(load: SteadyLoad, requests: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (load.answered < requests) {
    if (performance.now() > deadline)
      throw new Error(`only ${load.answered} of ${requests} requests were answered`);
    await new Promise((later) => setTimeout(later, 100));
  }
}

function same(before: readonly PodFacts[], after: readonly PodFacts[]): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

function describe(pods: readonly PodFacts[]): string {
  return pods.map(({ name, restarts }) => `${name} with ${restarts} restarts`).join(', ');
}
