/** What happens while clients go on asking: load, a new version, a mistake. Each act ends with claims that were checked. */
import { type Forecast, forecastMonth, type Scene } from './acts.ts';
import { SteadyLoad } from './steady-load.ts';
import { conditionOf, isReady, NAME, type PodFacts } from './traffic-service.ts';

/** Load in the status while requests run, compared with what the clients count themselves. */
export async function underLoad({ stage, traffic, url }: Scene, { cases }: Forecast): Promise<void> {
  const load = new SteadyLoad(endpoint(url), {
    clients: 12,
    pauseMilliseconds: 10,
    cases: cases.slice(0, 168),
  });
  stage.say('12 clients ask for a week each, again and again');
  try {
    let counted = 0;
    const service = await traffic.until('load in the status', 90, ({ status }) => {
      const { requestsPerSecond = 0, busyPercent = 0, reportingReplicas = 0 } = status?.load ?? {};
      counted = load.requestsPerSecond(10);
      const isAlike = Math.abs(requestsPerSecond - counted) < 0.2 * counted;
      return isAlike && busyPercent > 0 && reportingReplicas === 3;
    });
    stage.say(await traffic.table());
    const seen = service.status?.load;
    stage.claim(
      'the replicas report their own load, and the status agrees with the clients',
      (await load.stop()).failures.length === 0,
      `${seen?.reportingReplicas} replicas, ${seen?.busyPercent} % busy, ${seen?.queueTimeMilliseconds} ms wait, ` +
        `${seen?.requestsPerSecond?.toFixed(0)} requests/s; the clients counted ${counted.toFixed(0)} answers/s`,
    );
  } finally {
    await load.stop();
  }
}

/** A new model version in the same pods, with requests running all the while. */
export async function newVersion(scene: Scene, before: Forecast): Promise<Forecast> {
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
    const after = await forecastMonth(scene, 2, 45);
    stage.claim(
      'version 2 replaced version 1 without one failed request',
      failures.length === 0 && lastAnswer === after.firstHour,
      failures[0] ?? `${answered} requests in ${seconds.toFixed(0)} s, 0 failed`,
    );
    stage.claim(
      'every answer came from one of the two versions, whole',
      answers.size === 2 && answers.has(before.firstHour) && answers.has(after.firstHour),
      `for the first hour: ${[...answers].map(([users, times]) => `${users} users ${times} times`).join(', ')}`,
    );
    stage.claim('the pods are the same, none restarted', same(pods, await traffic.pods()), describe(pods));
    return after;
  } finally {
    await load.stop();
  }
}

/** A version that does not exist: the status says so, and the city does not notice. */
export async function mistake({ stage, traffic, url }: Scene, { cases, firstHour }: Forecast): Promise<void> {
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
      (seen) => /^3 of 3 .*99/.test(sentence(seen)),
      'ModelAvailable',
    );
    stage.say(await traffic.table());
    await untilAnswered(load, load.answered + 20);
    await traffic.edit('version', 2);
    await traffic.until(
      'version 2 again',
      90,
      (seen) => isReady(seen, 3) && seen.status?.model?.version === '2',
    );
    const { answered, answers, failures } = await load.stop();
    stage.claim(
      'a version that is not there is told in a sentence, while version 2 goes on answering',
      failures.length === 0 &&
        [...answers.keys()].join() === `${firstHour}` &&
        same(pods, await traffic.pods()),
      failures[0] ?? `"${sentence(service)}"; ${answered} requests, 0 failed`,
    );
  } finally {
    await load.stop();
  }
}

const endpoint = (url: string) => ({ url, model: NAME, protocol: 'tfs', timeoutSeconds: 30 }) as const;

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
