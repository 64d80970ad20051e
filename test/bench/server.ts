/**
 * How the model server fares under load, beside the bare engine:
 *
 *   npm run bench:server -- [--json] [--seconds=1] [--rounds=5] [--profile=DIRECTORY] [--peers | --peer=NAME…]
 *
 * `--profile` leaves a CPU profile of each server process. `--peers` puts other servers beside it, those of `peers/`, and
 * tells what goes wrong in each; `--peer` does so with some of them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { step } from '../region/progress.ts';
import { prepareTensorflow } from '../unit/model-server/serve/server-process.ts';
import type { Contender } from './contender.ts';
import { failureRows, loneClientRow } from './failure-rows.ts';
import { type Failures, failuresOf } from './failures.ts';
import { machine } from './machine.ts';
import { benchModels, writeBenchModel } from './models.ts';
import { ourServer } from './ours.ts';
import type { Call } from './peers/peer.ts';
import { installedPeers } from './peers/peers.ts';
import { print } from './print.ts';
import type { Row } from './result.ts';
import { measureModel } from './server-rounds.ts';
import { measureVariables } from './variables.ts';
import { measureWays } from './ways.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    profile: { type: 'string' },
    peers: { type: 'boolean', default: false },
    peer: { type: 'string', multiple: true, default: [] },
  },
});
const settings = { seconds: above0('seconds'), rounds: Math.ceil(above0('rounds')) };

// Its news about the processor are not ours.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
await prepareTensorflow();
const here = machine();
const directory = await mkdtemp(join(tmpdir(), 'aicity-bench-'));
try {
  const profile = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${resolve(values.profile)}`] : [];
  const ours = await ourServer(join(directory, 'app'), profile);
  const contenders = [ours, ...(await peers('session'))];
  const rows: Row[] = [];
  for (const model of benchModels) {
    const place = join(directory, model.name);
    // A version directory, as TensorFlow Serving and others want it; ours takes the model itself as well.
    await writeBenchModel(join(place, '1'), model);
    rows.push(...(await step(model.name, () => measureModel(model, place, contenders, settings))));
  }
  if (contenders.length === 1) {
    rows.push(...(await step('ways', () => measureWays(join(directory, 'ways'), settings))));
    rows.push(...(await step('variables', () => measureVariables(settings))));
  } else rows.push(...(await failures([ours, ...(await peers('signature'))])), ...loneClientRow(rows));
  print({ machine: here, rows }, values);
} finally {
  await rm(directory, { recursive: true });
}

async function peers(call: Call): Promise<Contender[]> {
  return values.peers || values.peer.length > 0 ? await installedPeers(call, values.peer) : [];
}

async function failures(contenders: readonly Contender[]): Promise<Row[]> {
  const [image] = benchModels;
  const found = new Map<string, Failures>();
  for (const contender of contenders) {
    const its = await failuresOf(contender, image!, join(directory, image!.name));
    if (its) found.set(contender.name, its);
  }
  return failureRows(found);
}

function above0(name: 'seconds' | 'rounds'): number {
  const number = Number(values[name]);
  if (number > 0) return number;
  throw new RangeError(`--${name} is "${values[name]}"; expected a number above 0`);
}
