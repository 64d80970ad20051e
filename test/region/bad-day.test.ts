/**
 * A hub and three cities as whole clusters: all that scenarios/bad-day.yaml tells, with model servers that
 * answer and clients that go where the hub sends them.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, jest, test } from '@jest/globals';
import { installationImages } from './installation.ts';
import { Region } from './region.ts';
import { ClusterStage, regionCities } from './scenarios/on-clusters.ts';
import { perform } from './scenarios/perform.ts';
import { chaptersOf, readScenario } from './scenarios/scenario.ts';

jest.setTimeout(600_000);

const scenario = readScenario(join(import.meta.dirname, 'scenarios/bad-day.yaml'));

describe('a hub and three cities', () => {
  let region: Region;
  let stage: ClusterStage;

  beforeAll(async () => {
    region = await Region.start({
      images: await installationImages(),
      cities: regionCities(scenario.cities),
    });
    stage = await ClusterStage.open(region, scenario);
  });
  afterAll(async () => {
    await stage?.stopClients();
    await region?.stop();
  });

  test.each(chaptersOf(scenario))('$title', async (chapter) => {
    await perform(chapter.scenario, stage);
  });
});
