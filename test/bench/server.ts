/**
 * How the model server fares under load, beside the bare engine:
 *
 *   npm run bench:server -- [--json] [--seconds=5] [--profile=DIRECTORY]
 *
 * `--profile` leaves a CPU profile of each server process.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startEngine } from '../../model-server/engine/host.ts';
import { step } from '../region/progress.ts';
import { prepareTensorflow, startServer } from '../unit/model-server/serve/server-process.ts';
import { type LoopResult, loopEngine } from './engine-loop.ts';
import { type Load, measureLoad } from './load.ts';
import { machine } from './machine.ts';
import { type BenchModel, benchModels, writeBenchModel } from './models.ts';
import { print } from './print.ts';
import type { Row } from './result.ts';

const CLIENTS = [1, 16, 64];
/** As many rows as the server joins by default. */
const MAX_BATCH_SIZE = 32;
const WARM_UP_SECONDS = 2;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '5' },
    profile: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds is "${values.seconds}"; expected a number above 0`);

// Its news about the processor are not ours.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
await prepareTensorflow();
const here = machine();
const directory = await mkdtemp(join(tmpdir(), 'aicity-bench-'));
try {
  const rows: Row[] = [];
  for (const model of benchModels) rows.push(...(await measureModel(model)));
  print({ machine: here, rows }, values);
} finally {
  await rm(directory, { recursive: true });
}

async function measureModel(model: BenchModel): Promise<Row[]> {
  const place = join(directory, model.name);
  await writeBenchModel(place, model);
  const limits = await step(`${model.name}: bare engine`, () => measureLimits(model, place));
  const profile = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${resolve(values.profile)}`] : [];
  const server = await startServer(
    ['--model', `bench=${place}`, '--port', '0', '--host', '127.0.0.1'],
    {},
    profile,
  );
  try {
    await server.ready();
    const rows: Row[] = [];
    for (const [protocol, request] of Object.entries(requestsFor(model, server.url))) {
      await measureLoad({ ...request, clients: 16, seconds: WARM_UP_SECONDS });
      for (const clients of CLIENTS) {
        const what = `${model.request}, ${protocol}, ${clients} client${clients > 1 ? 's' : ''}`;
        const ours = await step(what, () => measureLoad({ ...request, clients, seconds }));
        const limit = limits.get(Math.min(clients, MAX_BATCH_SIZE))!;
        rows.push(
          { what, unit: 'req/s', better: 'higher', ours: ours.requestsPerSecond, limit: limit.rowsPerSecond },
          { what: `${what}, p99`, unit: 'ms', better: 'lower', ours: ours.p99, limit: limit.p99 },
        );
      }
    }
    return rows;
  } finally {
    // Not killed: a profile is written at the end.
    server.child.kill('SIGTERM');
    await server.exit;
  }
}

/** By rows per run. */
async function measureLimits(model: BenchModel, place: string): Promise<Map<number, LoopResult>> {
  const engine = startEngine();
  await engine.load(model.name, place);
  const limits = new Map<number, LoopResult>();
  for (const clients of CLIENTS) {
    const rows = Math.min(clients, MAX_BATCH_SIZE);
    await loopEngine(engine, model, rows, WARM_UP_SECONDS / 2);
    limits.set(rows, await loopEngine(engine, model, rows, seconds));
  }
  await engine.close();
  return limits;
}

/** One row in each protocol: as JSON, and as a raw tensor. */
function requestsFor(
  { inputShape }: BenchModel,
  url: string,
): Record<string, Pick<Load, 'url' | 'headers' | 'body'>> {
  const size = inputShape.reduce((product, each) => product * each, 1);
  const numbers = Float32Array.from({ length: size }, (_, index) => (index % 97) / 97);
  const head = JSON.stringify({
    inputs: [
      {
        ...{ name: 'x', datatype: 'FP32', shape: [1, ...inputShape] },
        parameters: { binary_data_size: numbers.byteLength },
      },
    ],
    parameters: { binary_data_output: true },
  });
  return {
    'JSON (v1)': {
      url: `${url}/v1/models/bench:predict`,
      body: JSON.stringify({ instances: [nested([...numbers], inputShape)] }),
    },
    'raw tensor (v2)': {
      url: `${url}/v2/models/bench/infer`,
      headers: { 'inference-header-content-length': String(head.length) },
      body: Buffer.concat([Buffer.from(head), Buffer.from(numbers.buffer)]),
    },
  };
}

function nested(numbers: readonly number[], shape: readonly number[]): unknown {
  const [size = 1, ...inner] = shape;
  if (inner.length === 0) return numbers.map((value) => Number(value.toFixed(4)));
  const step = numbers.length / size;
  return Array.from({ length: size }, (_, index) =>
    nested(numbers.slice(index * step, (index + 1) * step), inner),
  );
}
