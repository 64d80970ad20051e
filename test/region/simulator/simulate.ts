/**
 * Seeded random fault schedules over the operator's own placement and failover code, on a virtual clock:
 *
 *   npm run simulate -- [--schedules=200] [--first=1] [--workers=CORES] [--maintenance] [--json]
 *   npm run simulate -- --seed=1234 --trace             replays one schedule and tells all that happens
 *   npm run simulate -- --cities=500 --services=20000   a large region, measured
 *   npm run simulate -- --scenario=FILE [--seed=1] [--trace]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { SimulatorStage } from '../scenarios/in-simulator.ts';
import { perform } from '../scenarios/perform.ts';
import { readScenario } from '../scenarios/scenario.ts';
import type { FaultClass } from './faults.ts';
import { Progress } from './progress.ts';
import { simulateLarge } from './scale.ts';
import { runSchedules, type SchedulesResult, Tally } from './schedules.ts';
import { type SimulationResult, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    workers: { type: 'string' },
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
    tell: (line) => console.error(line),
  });
  print(
    result,
    [...Object.entries(result)].map(([what, figure]) => `${what}: ${readable(figure)}`).join('\n'),
  );
} else {
  const of: FaultClass = values.maintenance ? 'Maintenance' : 'All';
  const result =
    values.seed === undefined
      ? await playSchedules(
          wholeNumber('first', values.first),
          wholeNumber('schedules', values.schedules),
          of,
        )
      : await playSchedules(wholeNumber('seed', values.seed), 1, of);
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

async function playSchedules(first: number, schedules: number, of: FaultClass): Promise<SchedulesResult> {
  const progress = new Progress(schedules);
  const onResult = ({ seed, failure }: SimulationResult): void => {
    progress.done();
    if (failure === undefined) return;
    const replay = `npm run simulate -- --seed=${seed}${of === 'Maintenance' ? ' --maintenance' : ''} --trace`;
    console.error(`seed ${seed}: ${failure}\nreplay: ${replay}`);
  };
  if (values.seed === undefined) {
    const workers = wholeNumber('workers', values.workers ?? String(availableParallelism()));
    return await runSchedules({ first, schedules, of, workers, onResult });
  }
  const began = performance.now();
  const tally = new Tally();
  const result = simulate({ seed: first, of, ...(values.trace ? { trace: console.log } : {}) });
  tally.add(result);
  onResult(result);
  return { schedules: 1, ...tally.sums(), seconds: (performance.now() - began) / 1000 };
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
