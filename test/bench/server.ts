/**
 * How the model server fares under load, beside the bare engine:
 *
 *   npm run bench:server -- [--json] [--seconds=1] [--rounds=5] [--profile=DIRECTORY] [--peers]
 *
 * `--profile` leaves a CPU profile of each server process. `--peers` puts other servers beside it, those of `peers/`.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { step } from '../region/progress.ts';
import { prepareTensorflow } from '../unit/model-server/serve/server-process.ts';
import type { Contender } from './contender.ts';
import { machine } from './machine.ts';
import { benchModels, writeBenchModel } from './models.ts';
import { ourServer } from './ours.ts';
import { print } from './print.ts';
import type { Row } from './result.ts';
import { measureModel } from './server-rounds.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    profile: { type: 'string' },
    peers: { type: 'boolean', default: false },
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
  const contenders = [await ourServer(join(directory, 'app'), profile), ...(await peers())];
  const rows: Row[] = [];
  for (const model of benchModels) {
    const place = join(directory, model.name);
    // A version directory, as TensorFlow Serving and others want it; ours takes the model itself as well.
    await writeBenchModel(join(place, '1'), model);
    rows.push(...(await step(model.name, () => measureModel(model, place, contenders, settings))));
  }
  print({ machine: here, rows }, values);
} finally {
  await rm(directory, { recursive: true });
}

/** Every file of `peers/` is a program's default export: a `Contender`. */
async function peers(): Promise<Contender[]> {
  if (!values.peers) return [];
  const folder = join(import.meta.dirname, 'peers');
  const files = existsSync(folder) ? (await readdir(folder)).filter((file) => file.endsWith('.peer.ts')) : [];
  if (files.length === 0) throw new RangeError('--peers: there are no contenders (peers/*.peer.ts)');
  const modules = await Promise.all(
    files.sort().map((file) => import(pathToFileURL(join(folder, file)).href)),
  );
  return modules.map((module: { default: Contender }) => module.default);
}

function above0(name: 'seconds' | 'rounds'): number {
  const number = Number(values[name]);
  if (number > 0) return number;
  throw new RangeError(`--${name} is "${values[name]}"; expected a number above 0`);
}
