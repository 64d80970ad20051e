/** A city is cut off and returns, with requests running all the while. Each act ends with claims that were checked. */
import type { EndpointClients } from '../../test/region/endpoint-clients.ts';
import { clock } from '../../test/region/progress.ts';
import type { Forecast, Scene } from './acts.ts';
import { clientsOf } from './acts-under-load.ts';
import { type CityLine, ClientMeter, lookAt, picture } from './picture.ts';

const LOST = 'porto';
const CALM_SECONDS = 10;

export async function loseACity(scene: Scene, { cases }: Forecast): Promise<void> {
  const { stage, region } = scene;
  const clients = clientsOf(scene, { clients: 4, pauseMilliseconds: 50, cases: cases.slice(0, 24) });
  const meter = new ClientMeter(clients);
  try {
    await clients.untilAnswered(50);
    stage.command(
      `docker network disconnect ${region.hub.wan} aicity-${LOST}   # nobody reaches ${LOST}, and it reaches nobody`,
    );
    await region.partition(LOST);
    const cutAtMs = performance.now();
    await watch(scene, meter, 'three replicas without the lost city', (lines) => {
      return ready(lines) >= 3 && lines.every(({ city, weight }) => city !== LOST || weight === 0);
    });
    const seconds = (performance.now() - cutAtMs) / 1000;
    await clients.untilReadAgain();
    const shiftedAtMs = performance.now();
    await calm(scene, meter);
    const pods = (await scene.traffic.pods()).filter(({ city }) => city === LOST);
    stage.claim(
      `${LOST} was replaced: all guaranteed replicas are ready in the other cities`,
      ready((await lookAt(region)).lines) >= 3,
      `${clock(seconds * 1000)} after the cut, of which 20 s are the grace that the service asks for`,
    );
    stage.claim(
      'since clients heard of it, every request was answered',
      clients.unansweredSince(shiftedAtMs).length === 0,
      `${clients.answeredInAll} answered in all; ${clients.unanswered.length} that were sent to ${LOST} before were not`,
    );
    stage.claim(
      `${LOST} goes on alone`,
      pods.length === 1 && pods[0]?.restarts === 0,
      `it still runs ${pods.map(({ name }) => name).join(', ')}`,
    );
    await returnOfTheCity(scene, clients, meter);
  } finally {
    await clients.stop();
  }
}

async function returnOfTheCity(scene: Scene, clients: EndpointClients, meter: ClientMeter): Promise<void> {
  const { stage, region, traffic } = scene;
  stage.command(`docker network connect ${region.hub.wan} aicity-${LOST}`);
  const healedAtMs = performance.now();
  await region.heal(LOST);
  await watch(scene, meter, 'the return of the city', (lines) => {
    const { state, guaranteed, ready } = lines.find(({ city }) => city === LOST)!;
    return state !== 'Lost' && guaranteed === 0 && ready === 0;
  });
  await region.hub.until(`${LOST} has given back what was held twice`, 60, async () => {
    return (await traffic.pods()).length === 3;
  });
  await calm(scene, meter);
  stage.claim(
    `${LOST} is back, has reported before it was told anything, and gave up what was held twice`,
    (await traffic.pods()).length === 3 && ready((await lookAt(region)).lines) >= 3,
    `the replicas are in ${(await traffic.pods()).map(({ city }) => city).join(', ')}`,
  );
  stage.claim(
    'its return cost no request',
    clients.unansweredSince(healedAtMs).length === 0,
    `${clients.answeredInAll} answered in all`,
  );
}

async function watch(
  { stage, region }: Scene,
  meter: ClientMeter,
  what: string,
  isSo: (lines: readonly CityLine[]) => boolean,
): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const { lines } = await lookAt(region);
    stage.paint(picture(lines, meter.read()), JSON.stringify(lines));
    if (isSo(lines)) return;
    if (performance.now() > deadline) throw new Error(`${what}: not after 120 s`);
    await new Promise((later) => setTimeout(later, 1_000));
  }
}

async function calm(scene: Scene, meter: ClientMeter): Promise<void> {
  const end = performance.now() + CALM_SECONDS * 1000;
  await watch(scene, meter, 'calm', () => performance.now() >= end);
}

function ready(lines: readonly CityLine[]): number {
  return lines.filter(({ known }) => known).reduce((sum, line) => sum + line.ready, 0);
}
