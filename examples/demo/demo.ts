/**
 * `npm run demo [-- --down]`: a city from nothing to a served model, with every claim checked. The city stays for a look
 * around unless --down is given. Ends with status 0 only when everything that it shows is so.
 */
import { parseArgs } from 'node:util';
import type { City } from '../../test/region/city.ts';
import {
  installationImages,
  installOperator,
  openModelStore,
  operatorState,
} from '../../test/region/installation.ts';
import { firstReplica, forecastMonth, scaleToThree, tooMany } from './acts.ts';
import { mistake, newVersion, underLoad } from './acts-under-load.ts';
import { CITY_NAME, closeCity, evidence, GPUS, offeredGpus, openCity, openNamespace } from './city.ts';
import { Stage } from './stage.ts';
import { NAMESPACE, TrafficService } from './traffic-service.ts';

async function play(stage: Stage, opened: (city: City) => void): Promise<void> {
  const images = await stage.act('Build the images', async () => {
    const built = await installationImages();
    stage.say(...Object.values(built));
    return built;
  });
  const city = await stage.act('Start a city: a whole Kubernetes cluster in a container', async () => {
    const started = await openCity();
    opened(started);
    await started.loadImages(Object.values(images));
    stage.say(
      `The node has no GPU. It advertises ${GPUS} nvidia.com/gpu all the same, and the CPU image of the model server stands`,
      'in for the GPU image: who gets a GPU, rollouts and statuses are real; the speed of a GPU is not shown.',
    );
    const gpus = await offeredGpus(started);
    stage.claim('the node offers GPUs, simulated ones', gpus === GPUS, `allocatable nvidia.com/gpu ${gpus}`);
    return started;
  });
  await stage.act('Install the operator', async () => {
    stage.command(
      'helm install aicity-operator charts/aicity-operator -n aicity-system --create-namespace --set images.operator=… --wait',
    );
    await installOperator(city, images);
    const { ready, leader } = await operatorState(city);
    stage.claim(
      'two replicas of the operator run, and one leads',
      ready === 2 && leader !== '',
      `leader ${leader}`,
    );
  });
  const url = await stage.act('Open a model store in the cluster', async () => {
    stage.command('kubectl apply -f examples/model-store/model-store.yaml');
    await openModelStore(city, images);
    return await openNamespace(city);
  });
  const scene = { stage, traffic: new TrafficService(city, stage), url };
  await stage.act('Serve the traffic model', () => firstReplica(scene));
  const forecast = await stage.act('Forecast a month that the model has never seen', () =>
    forecastMonth(scene, 1, 35),
  );
  await stage.act('Scale to 3 by editing replicas', () => scaleToThree(scene));
  await stage.act('Ask for more GPUs than the city has', () => tooMany(scene, GPUS));
  await stage.act('Look at the load while requests run', () => underLoad(scene, forecast));
  const newer = await stage.act('Swap in a new model version under load', () => newVersion(scene, forecast));
  await stage.act('Ask for a version that does not exist', () => mistake(scene, newer));
}

const { values } = parseArgs({ options: { down: { type: 'boolean' }, keep: { type: 'boolean' } } });
const stage = new Stage();
let city: City | undefined;
try {
  await play(stage, (opened) => {
    city = opened;
  });
  stage.summary();
} catch (error) {
  console.error(`\nThe demo failed after ${stage.elapsed()}: ${(error as Error).message}`);
  if (city) console.error(await evidence(city));
  process.exitCode = 1;
}
if (values.down) await closeCity();
else if (city) {
  console.log(
    `\nThe city stays. Look around:  npm run region -- kubectl --city=${CITY_NAME} get ms -n ${NAMESPACE} -o wide`,
  );
  console.log(`Take it down:                 npm run region -- down ${CITY_NAME}`);
}
