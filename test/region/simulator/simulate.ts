/**
 * Seeded random fault schedules over the operator's own placement and failover code:
 *
 *   npm run simulate -- [--schedules=200] [--first=1] [--maintenance] [--json]
 *   npm run simulate -- --seed=1234 --trace        replays one schedule and tells all that happens
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    maintenance: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const of = values.maintenance ? 'Maintenance' : 'All';
const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? Number(values.schedules) : 1;
const began = performance.now();
const failures: { seed: number; failure: string }[] = [];
const faults = new Map<string, number>();
let [looks, messages, failovers] = [0, 0, 0];
for (let seed = first; seed < first + count; seed++) {
  const result = simulate({ seed, of, ...(values.trace ? { trace: console.log } : {}) });
  looks += result.looks;
  messages += result.messages;
  failovers += result.failovers;
  for (const kind of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + 1);
  if (result.failure === undefined) continue;
  failures.push({ seed, failure: result.failure });
  console.error(`seed ${seed}: ${result.failure}`);
  console.error(
    `replay: npm run simulate -- --seed=${seed}${values.maintenance ? ' --maintenance' : ''} --trace`,
  );
}
const seconds = (performance.now() - began) / 1000;
const summary = {
  schedules: count,
  failures,
  looks,
  messages,
  failovers,
  faults: Object.fromEntries(faults),
  seconds,
};
if (values.json) console.log(JSON.stringify(summary));
else {
  console.log(
    `${count} schedules, ${failures.length} failed; ${looks} looks, ${messages} messages, ${failovers} failovers in ${seconds.toFixed(1)} s`,
  );
}
process.exitCode = failures.length > 0 ? 1 : 0;
