/**
 * Seeded random fault schedules over the operator's own placement and failover code, on a virtual clock:
 *
 *   npm run simulate -- [--schedules=200] [--first=1] [--maintenance] [--json]
 *   npm run simulate -- --seed=1234 --trace             replays one schedule and tells all that happens
 *   npm run simulate -- --cities=500 --services=20000   a large region, measured
 *   npm run simulate -- --scenario=FILE [--seed=1] [--trace]
 */
import { parseArgs } from 'node:util';
import { SimulatorStage } from '../scenarios/in-simulator.ts';
import { perform } from '../scenarios/perform.ts';
import { readScenario } from '../scenarios/scenario.ts';
import type { FaultClass } from './faults.ts';
import { simulateLarge } from './scale.ts';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    maintenance: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    cities: { type: 'string' },
    services: { type: 'string', default: '20000' },
    scenario: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

if (values.scenario !== undefined) {
  await playScenario(values.scenario);
} else if (values.cities !== undefined) {
  const result = simulateLarge({
    cities: wholeNumber('cities', values.cities),
    services: wholeNumber('services', values.services),
  });
  print(
    result,
    [...Object.entries(result)].map(([what, figure]) => `${what}: ${readable(figure)}`).join('\n'),
  );
} else {
  const of: FaultClass = values.maintenance ? 'Maintenance' : 'All';
  const result =
    values.seed === undefined
      ? runSchedules(wholeNumber('first', values.first), wholeNumber('schedules', values.schedules), of)
      : runSchedules(wholeNumber('seed', values.seed), 1, of);
  const { schedules, failures, looks, reports, failovers, seconds } = result;
  print(
    result,
    `${schedules} schedules, ${failures.length} failed; ${looks} looks, ${reports} reports, ${failovers} failovers in ${readable(seconds)} s`,
  );
  process.exitCode = failures.length > 0 ? 1 : 0;
}

async function playScenario(file: string): Promise<void> {
  try {
    const scenario = readScenario(file);
    const stage = new SimulatorStage(scenario, {
      seed: wholeNumber('seed', values.seed ?? '1'),
      ...(values.trace ? { trace: console.log } : {}),
    });
    await perform(scenario, stage, (line) =>
      console.log(`${stage.elapsed().toFixed(1).padStart(7)} s  ${line}`),
    );
    console.log(`${scenario.name}: all as expected, after ${Math.round(stage.elapsed())} s of virtual time`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}

function runSchedules(first: number, schedules: number, of: FaultClass) {
  const began = performance.now();
  const failures: { seed: number; failure: string }[] = [];
  const faults: Record<string, number> = {};
  let [looks, reports, failovers] = [0, 0, 0];
  for (let seed = first; seed < first + schedules; seed++) {
    const result = simulate({ seed, of, ...(values.trace ? { trace: console.log } : {}) });
    looks += result.looks;
    reports += result.reports;
    failovers += result.failovers;
    for (const kind of result.faults) faults[kind] = (faults[kind] ?? 0) + 1;
    if (result.failure === undefined) continue;
    failures.push({ seed, failure: result.failure });
    const replay = `npm run simulate -- --seed=${seed}${of === 'Maintenance' ? ' --maintenance' : ''} --trace`;
    console.error(`seed ${seed}: ${result.failure}\nreplay: ${replay}`);
  }
  const seconds = (performance.now() - began) / 1000;
  return { schedules, failures, looks, reports, failovers, faults, seconds };
}

function print(result: object, lines: string): void {
  console.log(values.json ? JSON.stringify(result) : lines);
}

function readable(figure: number): string {
  return figure >= 100 ? String(Math.round(figure)) : String(Number(figure.toPrecision(3)));
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new RangeError(`--${option} is "${text}": expected a whole number`);
  return Number(text);
}
