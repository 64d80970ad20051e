/**
 * How a region fares: a lost city replaced on real clusters, and a hub with hundreds of cities:
 *
 *   npm run bench:region -- [--json] [--cities=500] [--services-per-city=40] [--losses=3] [--only=loss|hub|look]
 */
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
  hub: async () => hubRows({ cities, servicesPerCity }, await hubRound({ cities, servicesPerCity })),
};
if (values.only !== undefined && !(values.only in rounds))
  refuse('only', values.only, Object.keys(rounds).join(', '));

const here = machine();
const rows: Row[] = [];
for (const [name, round] of Object.entries(rounds)) {
  if ((values.only ?? name) === name) rows.push(...(await round()));
}
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
