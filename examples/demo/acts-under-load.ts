/** What happens while clients go on asking: load, a new version, a mistake. Each act ends with claims that were checked. */
import { EndpointClients, endpointsOn } from '../../test/region/endpoint-clients.ts';
import type { Case } from '../traffic/releases.ts';
import { type Forecast, forecastMonth, type Scene } from './acts.ts';
import { conditionOf, isReady, NAME, NAMESPACE, type PodFacts } from './traffic-service.ts';

export interface LoadPlan {
  readonly clients: number;
  /** Pause of each client between two requests. */
  readonly pauseMilliseconds: number;
  /** Hours that every request asks for. */
  readonly cases: readonly Case[];
}

/** Clients that go where the hub says, in proportion to the weights. */
export function clientsOf(
  { region }: Scene,
  { clients, pauseMilliseconds, cases }: LoadPlan,
): EndpointClients {
  return new EndpointClients({
    read: endpointsOn(region, { name: NAME, namespace: NAMESPACE }),
    name: NAME,
    clients,
    pauseMilliseconds,
    body: JSON.stringify({ instances: cases.map(({ features }) => features) }),
  });
}

/** Load in the status while requests run, compared with what the clients count themselves. */
export async function underLoad(scene: Scene, { cases }: Forecast): Promise<void> {
  const { stage, traffic } = scene;
  const clients = clientsOf(scene, { clients: 9, pauseMilliseconds: 10, cases: cases.slice(0, 168) });
  stage.say('9 clients ask for a week each, again and again, and go where status.endpoints[] sends them');
  try {
    let counted = 0;
    const service = await traffic.until('load in the status', 120, ({ status }) => {
      const { requestsPerSecond = 0, busyPercent = 0, reportingReplicas = 0 } = status?.load ?? {};
      counted = clients.requestsPerSecond(20);
      const isAlike = Math.abs(requestsPerSecond - counted) < 0.25 * counted;
      return isAlike && busyPercent > 0 && reportingReplicas === 3;
    });
    stage.say(await traffic.table());
    const seen = service.status?.load;
    await clients.stop();
    stage.claim(
      'the hub sums the load that all cities report, and it agrees with the clients',
      clients.unanswered.length === 0,
      `${seen?.reportingReplicas} replicas, ${seen?.busyPercent} % busy, ${seen?.queueTimeMilliseconds} ms wait, ` +
        `${seen?.requestsPerSecond?.toFixed(0)} requests/s; the clients counted ${counted.toFixed(0)} answers/s`,
    );
  } finally {
    await clients.stop();
  }
}

/** A new model version in the same pods of every city, with requests running all the while. */
export async function newVersion(scene: Scene, before: Forecast): Promise<Forecast> {
  const { stage, traffic } = scene;
  const pods = await traffic.pods();
  const clients = clientsOf(scene, { clients: 6, pauseMilliseconds: 5, cases: before.cases.slice(0, 24) });
  stage.say('6 clients ask for a day each, all the while');
  try {
    await clients.untilAnswered(100);
    await traffic.edit('version', 2);
    await traffic.until('version 2', 180, (seen) => isReady(seen, 3) && seen.status?.model?.version === '2');
    await clients.untilAnswered(200);
    await clients.stop();
    stage.say(await traffic.table());
    const after = await forecastMonth(scene, 2, 45);
    const { answers, unanswered, answeredInAll, lastAnswer } = clients;
    stage.claim(
      'version 2 replaced version 1 in every city without one failed request',
      unanswered.length === 0 && lastAnswer === after.firstHour,
      unanswered[0]?.why ?? `${answeredInAll} requests, 0 failed`,
    );
    stage.claim(
      'every answer came from one of the two versions, whole',
      answers.size === 2 && answers.has(before.firstHour) && answers.has(after.firstHour),
      `for the first hour: ${[...answers].map(([users, times]) => `${users} users ${times} times`).join(', ')}`,
    );
    stage.claim('the pods are the same, none restarted', same(pods, await traffic.pods()), describe(pods));
    return after;
  } finally {
    await clients.stop();
  }
}

/** A version that does not exist: the status says so, and nobody who asks notices. */
export async function mistake(scene: Scene, { cases, firstHour }: Forecast): Promise<void> {
  const { stage, traffic } = scene;
  const pods = await traffic.pods();
  const clients = clientsOf(scene, { clients: 3, pauseMilliseconds: 50, cases: cases.slice(0, 24) });
  try {
    await traffic.edit('version', 99);
    const service = await traffic.until('a sentence about version 99', 90, (seen) =>
      /99/.test(sentence(seen)),
    );
    stage.say(await traffic.table());
    await clients.untilAnswered(20);
    await traffic.edit('version', 2);
    await traffic.until(
      'version 2 again',
      90,
      (seen) => isReady(seen, 3) && seen.status?.model?.version === '2',
    );
    await clients.stop();
    const { answers, unanswered, answeredInAll } = clients;
    stage.claim(
      'a version that is not there is told in a sentence, while version 2 goes on answering',
      unanswered.length === 0 &&
        [...answers.keys()].join() === `${firstHour}` &&
        same(pods, await traffic.pods()),
      unanswered[0]?.why ?? `"${sentence(service)}"; ${answeredInAll} requests, 0 failed`,
    );
  } finally {
    await clients.stop();
  }
}

const sentence = (service: Parameters<typeof conditionOf>[0]) => conditionOf(service, 'Ready')?.message ?? '';

function same(before: readonly PodFacts[], after: readonly PodFacts[]): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

function describe(pods: readonly PodFacts[]): string {
  return pods.map(({ city, name, restarts }) => `${name} in ${city} with ${restarts} restarts`).join(', ');
}
