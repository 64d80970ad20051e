/** `npm run region -- scenario FILE`: plays a scenario on real clusters that are started for it and stopped after it. */

import { installationImages } from '../installation.ts';
import { clock, say } from '../progress.ts';
import { Region } from '../region.ts';
import { ClusterStage, regionCities } from './on-clusters.ts';
import { perform } from './perform.ts';
import { readScenario } from './scenario.ts';

/** @throws ScenarioError, ScenarioFailed */
export async function playOnClusters(file: string): Promise<void> {
  const scenario = readScenario(file);
  const region = await Region.start({
    images: await installationImages(),
    cities: regionCities(scenario.cities),
  });
  try {
    const stage = await ClusterStage.open(region, scenario);
    try {
      await perform(scenario, stage, (line) => say(`${clock(stage.elapsed() * 1000)}  ${line}`));
      say(`${scenario.name}: all as expected, after ${clock(stage.elapsed() * 1000)}`);
    } finally {
      await stage.stopClients();
    }
  } finally {
    await region.stop();
  }
}
