/**
 * How a region fares: a lost city replaced on real clusters, and a hub with hundreds of cities:
 *
 *   npm run bench:region -- [--json] [--cities=500] [--services-per-city=40] [--losses=3] [--only=ROUND,…]
 *                               [--profile=DIRECTORY]
 *
 * The rounds, in the order in which they are run: `loss` on real clusters, `look` in memory, `hub` with played cities.
 * `--profile` leaves a CPU profile of the hub that has the played cities.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { step } from '../region/progress.ts';
import { timeToPlace } from '../region/simulator/scale.ts';
import { hubRound } from './hub-round.ts';
import { lossRound } from './loss-round.ts';
import { machine } from './machine.ts';
import { print } from './print.ts';
import { hubRows, lookRows, lossRows } from './region-rows.ts';
import type { Row } from './result.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    cities: { type: 'string', default: '500' },
    'services-per-city': { type: 'string', default: '40' },
    losses: { type: 'string', default: '3' },
    only: { type: 'string' },
    profile: { type: 'string' },
  },
});
const cities = wholeNumber('cities', values.cities);
const servicesPerCity = wholeNumber('services-per-city', values['services-per-city']);
const losses = wholeNumber('losses', values.losses);

const rounds: Readonly<Record<string, () => Promise<Row[]>>> = {
  loss: async () => lossRows(await lossRound(losses)),
  look: async () => {
    const options = { cities, services: cities * servicesPerCity };
    return lookRows(options, await step('placing in memory', async () => timeToPlace(options)));
  },
  hub: async () => {
    const profileDirectory = values.profile && resolve(values.profile);
    return hubRows(
      { cities, servicesPerCity },
      await hubRound({ cities, servicesPerCity, profileDirectory }),
    );
  },
};
const wanted = values.only?.split(',') ?? Object.keys(rounds);
if (!wanted.every((name) => name in rounds))
  refuse('only', values.only!, `some of ${Object.keys(rounds).join(', ')}, with commas between them`);

const here = machine();
const rows: Row[] = [];
for (const [name, round] of Object.entries(rounds)) if (wanted.includes(name)) rows.push(...(await round()));
print({ machine: here, rows }, values);
process.exit();

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : refuse(option, text, 'a whole number above 0');
}

function refuse(option: string, text: string, expected: string): never {
  process.stderr.write(`--${option} is "${text}"; expected ${expected}\n`);
  process.exit(2);
}
