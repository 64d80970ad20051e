/**
 * `npm run demo [-- --down]`: a region from nothing to a model served in three cities, one of which is lost and returns,
 * with every claim checked. The region stays for a look around unless --down is given. Ends with status 0 only when
 * everything that it shows is so.
 */
import { parseArgs } from 'node:util';
import { installationImages } from '../../test/region/installation.ts';
import type { Region } from '../../test/region/region.ts';
import { forecastMonth, placeOverCities, scaleUp, tooMany } from './acts.ts';
import { loseACity } from './acts-of-loss.ts';
import { mistake, newVersion, underLoad } from './acts-under-load.ts';
import { CITIES, closeRegion, evidence, GPUS, openRegion } from './region.ts';
import { Stage } from './stage.ts';
import { NAMESPACE, TrafficService } from './traffic-service.ts';

async function play(stage: Stage, opened: (region: Region) => void): Promise<void> {
  const images = await stage.act('Build the images', async () => {
    const built = await installationImages();
    stage.say(...Object.values(built));
    return built;
  });
  const region = await stage.act(
    'Start a hub and three cities, each a whole Kubernetes cluster in a container',
    async () => {
      stage.say(
        `No node has a GPU. Each city advertises ${GPUS} nvidia.com/gpu all the same, and the CPU image of the model server`,
        'stands in for the GPU image: who gets a GPU, placement and statuses are real; the speed of a GPU is not shown.',
      );
      stage.command(
        'helm install aicity-operator … --set hub.enabled=true                       # on the hub',
      );
      stage.command(
        'kubectl aicity join porto --output values.yaml                              # against the hub',
      );
      stage.command(
        'helm install aicity-operator … --values values.yaml                         # in the city',
      );
      const started = await openRegion(images);
      opened(started);
      const cities = await started.hub.kubectl(['get', 'cities']);
      stage.say(cities);
      stage.claim(
        'the hub has heard every city; the cities dialled in, the hub holds no credentials of any',
        cities.split('\n').filter((line) => /\bTrue\b/.test(line)).length === Object.keys(CITIES).length,
        `GPUs free: ${cities
          .split('\n')
          .slice(1)
          .map((line) => line.split(/\s+/)[0])
          .join(', ')} ${GPUS} each`,
      );
      return started;
    },
  );
  const scene = { stage, region, traffic: new TrafficService(region, stage) };
  const gpus = GPUS * region.cities.size;
  await stage.act('Serve the traffic model in all cities', () => placeOverCities(scene));
  const forecast = await stage.act('Forecast a month that the model has never seen', () =>
    forecastMonth(scene, 1, 35),
  );
  await stage.act('Scale over the cities by editing one number', () => scaleUp(scene, 5));
  await stage.act('Ask for more GPUs than the region has', () => tooMany(scene, gpus, 3));
  await stage.act('Look at the load while requests run', () => underLoad(scene, forecast));
  const newer = await stage.act('Swap in a new model version in every city, under load', () =>
    newVersion(scene, forecast),
  );
  await stage.act('Ask for a version that does not exist', () => mistake(scene, newer));
  await stage.act('Cut a city off while requests run, and let it return', () => loseACity(scene, newer));
}

const { values } = parseArgs({ options: { down: { type: 'boolean' }, keep: { type: 'boolean' } } });
const stage = new Stage();
let region: Region | undefined;
try {
  await play(stage, (opened) => {
    region = opened;
  });
  stage.summary();
} catch (error) {
  console.error(`\nThe demo failed after ${stage.elapsed()}: ${(error as Error).message}`);
  if (region) console.error(await evidence(region));
  process.exitCode = 1;
}
if (values.down) await closeRegion();
else if (region) {
  console.log(
    `\nThe region stays. Look around:  npm run region -- kubectl --city=hub get ms,cities -n ${NAMESPACE} -o wide`,
  );
  console.log(`Take it down:                   npm run region -- down hub ${Object.keys(CITIES).join(' ')}`);
}
process.exit();
