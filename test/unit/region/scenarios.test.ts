/** Every scenario file, played in the simulator under several seeds; and what is said of a file that is none. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { SimulatorStage } from '../../region/scenarios/in-simulator.ts';
import { perform } from '../../region/scenarios/perform.ts';
import { parseScenario, readScenario, type Scenario } from '../../region/scenarios/scenario.ts';

const folder = join(import.meta.dirname, '../../region/scenarios');
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
const SEEDS = [1, 2, 3, 4, 5];

const play = async (scenario: Scenario, seed: number) =>
  await perform(scenario, new SimulatorStage(scenario, { seed }));

describe.each(files)('%s', (file) => {
  const scenario = readScenario(join(folder, file));

  test('is called as its file', () => {
    expect(`${scenario.name}.yaml`).toBe(file);
  });

  test.each(SEEDS)('is so in the simulator, seed %i', async (seed) => {
    await play(scenario, seed);
  });
});

describe('what is no scenario is told with its place', () => {
  const scenario = (timeline: string, more = '') => `
name: one
about: a city
cities: { porto: { gpus: 1 } }
services: { traffic: { replicas: 1, placement: {} } }
timeline: ${timeline}
${more}`;

  test.each([
    [
      'an unknown verb',
      '[{ partion: porto }]',
      'timeline[0] is "partion": expected one of chapter, wait, partition,',
    ],
    ['two verbs', '[{ kill: porto, wait: 3 }]', 'timeline[0] has 2 verbs: expected one in each step'],
    ['no step', '[]', 'timeline: '],
    ['an unknown city', '[{ kill: braga }]', 'timeline[0] names the city "braga": there are porto'],
    [
      'an unknown city in an expectation',
      '[{ wait: 1 }, { expect: { within: 5, services: { traffic: { ready: { braga: 1 } } } } }]',
      'timeline[1] names the city "braga": there are porto',
    ],
    [
      'an unknown service',
      '[{ scale: { service: air, replicas: 2 } }]',
      'timeline[0] names the service "air": there are traffic',
    ],
    ['a duration that is none', '[{ wait: soon }]', 'timeline[0].wait: '],
    [
      'an unknown reason',
      '[{ expect: { within: 5, cities: { porto: Gone } } }]',
      'timeline[0].expect.cities.porto: ',
    ],
    [
      'an unknown field',
      '[{ edit: { service: traffic, replicas: 2 } }]',
      'timeline[0].edit: Unrecognized key: "replicas"',
    ],
  ])('%s', (_what, timeline, message) => {
    expect(() => parseScenario(scenario(timeline))).toThrow(message);
  });

  test('a limit for nothing', () => {
    expect(() => parseScenario(scenario('[{ wait: 1 }]', 'limits: { air: 2 }'))).toThrow(
      'names the service "air"',
    );
  });
});

describe('what is not as expected is found', () => {
  const played = (timeline: string, more = '') =>
    play(
      parseScenario(`
name: one
about: two cities
cities: { porto: { gpus: 1 }, lisboa: { gpus: 1 } }
services: { traffic: { replicas: 2, placement: {} } }
timeline: [{ expect: { within: 60, services: { traffic: { ready: 2 } } } }, ${timeline}]
${more}`),
      1,
    );

  test('in time', async () => {
    const more = '{ expect: { within: 30, services: { traffic: { ready: { porto: 2 } } } } }';
    await expect(played(more)).rejects.toThrow(
      'one, timeline[1] (expect): not within 30 s: traffic has ready lisboa 1, porto 1, not porto 2',
    );
  });

  test('while it should hold', async () => {
    const more = '{ kill: porto }, { hold: { for: 30, services: { traffic: { runs: { porto: 1 } } } } }';
    await expect(played(more)).rejects.toThrow(
      /timeline\[2\] \(hold\): no longer so after 1 s: traffic runs in porto 0, not 1/,
    );
  });

  test('with what was seen to change before', async () => {
    const more = '{ kill: porto }, { hold: { for: 30, services: { traffic: { runs: { porto: 1 } } } } }';
    await expect(played(more)).rejects.toThrow(
      /What was seen to change:\n.*\n {2}\d+\.\d s {2}traffic: ready lisboa 1, porto 1; runs lisboa 1, porto 0; decisions lisboa Placed, porto Placed; endpoints lisboa, porto \| cities: lisboa Heard, porto Heard$/s,
    );
  });

  test('beyond a limit', async () => {
    const more = '{ scale: { service: traffic, replicas: 0 } }, { wait: 30 }';
    await expect(played(more, 'limits: { traffic: 1 }')).rejects.toThrow(
      'traffic runs 2 times, and never more than 1 was promised',
    );
  });
});
