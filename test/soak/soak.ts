/**
 * One model server at full load for as long as is asked, with a new model version again and again: no request that was
 * let in may fail, and the memory may not grow. `npm run soak -- --seconds 3600 --swap-seconds 60`.
 */
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeDenseModel } from '../unit/model-server/serve/models.ts';
import { prepareTensorflow, startServer } from '../unit/model-server/serve/server-process.ts';
import { Client } from './client.ts';
import { type Growth, growthOf, MOST_GROWTH_BYTES, MOST_GROWTH_SHARE } from './growth.ts';

export interface SoakOptions {
  seconds: number;
  /** Between one new version and the next. */
  swapSeconds: number;
  clients: number;
  /** Before the first request: the server takes its memory of then as what its models need. */
  quietSeconds?: number;
  /** Variables of the server. */
  environment?: Record<string, string>;
  /** Told of each new version, with the figures so far. */
  progress?(line: string): void;
}

export interface SoakFigures {
  answered: number;
  /** Requests that were not answered with the numbers of a version that was served. */
  failed: string[];
  /** Versions that clients have had answers from. */
  versionsSeen: number;
  swaps: number;
  /** Models that the server has loaded afresh by itself. */
  recycled: number;
  memory: Growth;
}

/** 16 MiB of weights: a version that stays in memory is seen at once. */
const [WIDTH, UNITS] = [1024, 4096];
const SAMPLE_SECONDS = 1;
const KEPT_VERSIONS = 3;
/** Until a new version is taken: two looks, five seconds apart, and the load. */
const SETTLE_SECONDS = 20;

export async function soak(options: SoakOptions): Promise<SoakFigures> {
  const directory = await mkdtemp(join(tmpdir(), 'aicity-soak-'));
  const model = join(directory, 'model');
  const write = async (version: number) => {
    await writeDenseModel(join(directory, 'new'), { width: WIDTH, units: [UNITS], scale: version });
    await rename(join(directory, 'new'), join(model, String(version)));
  };
  await writeDenseModel(join(model, '1'), { width: WIDTH, units: [UNITS], scale: 1 });
  const flags = ['--host', '127.0.0.1', '--port', '0', '--cache-directory', join(directory, 'cache')];
  const server = await startServer(['--model', `traffic=${model}`, ...flags], options.environment);
  try {
    await server.ready();
    await sleep((options.quietSeconds ?? 0) * 1000);
    const clients = Array.from({ length: options.clients }, () => new Client(server.url, WIDTH));
    const until = performance.now() + options.seconds * 1000;
    const running = clients.map((client) => client.run(until));
    const samples: number[] = [];
    const newest = await swapping(options, until, model, write, async () => {
      samples.push(await metric(server.url, 'aicity_resident_bytes'));
      return `${clients.reduce((sum, { answered }) => sum + answered, 0)} answered, ${(samples.at(-1)! / 2 ** 20).toFixed(0)} MiB`;
    });
    await Promise.all(running);
    const seen = new Set(clients.flatMap(({ versions }) => [...versions]));
    return {
      answered: clients.reduce((sum, { answered }) => sum + answered, 0),
      failed: clients.flatMap(({ failed }) => failed),
      versionsSeen: seen.size,
      swaps: newest - 1,
      recycled: await metric(server.url, 'aicity_models_recycled_total'),
      memory: growthOf(samples),
    };
  } finally {
    server.child.kill('SIGTERM');
    await server.exit;
    await rm(directory, { recursive: true });
  }
}

/** Publishes versions until the end. @returns the newest. */
async function swapping(
  { swapSeconds, progress }: SoakOptions,
  until: number,
  model: string,
  write: (version: number) => Promise<void>,
  sample: () => Promise<string>,
): Promise<number> {
  let version = 1;
  let swapAt = performance.now() + swapSeconds * 1000;
  while (performance.now() < until) {
    const line = await sample();
    if (performance.now() >= swapAt && performance.now() + SETTLE_SECONDS * 1000 < until) {
      swapAt += swapSeconds * 1000;
      await write(++version);
      await rm(join(model, String(version - KEPT_VERSIONS)), { recursive: true, force: true });
      progress?.(`version ${version}; ${line}`);
    }
    await sleep(SAMPLE_SECONDS * 1000);
  }
  return version;
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      'swap-seconds': { type: 'string', default: '12' },
      clients: { type: 'string', default: '16' },
    },
  });
  await prepareTensorflow();
  const figures = await soak({
    seconds: Number(values.seconds),
    swapSeconds: Number(values['swap-seconds']),
    clients: Number(values.clients),
    progress: (line) => console.log(line),
  });
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const { answered, failed, swaps, versionsSeen, memory } = figures;
  console.log(`${answered} requests answered, ${failed.length} failed ${failed.slice(0, 5).join('; ')}`);
  console.log(`${swaps} new versions, answers from ${versionsSeen}`);
  console.log(
    `memory ${mebibytes(memory.earlyBytes)} early, ${mebibytes(memory.lateBytes)} late; it may grow by ${MOST_GROWTH_SHARE * 100} % and ${mebibytes(MOST_GROWTH_BYTES)}`,
  );
  const isSound = failed.length === 0 && versionsSeen === swaps + 1 && memory.isFlat;
  console.log(isSound ? 'sound' : 'NOT SOUND');
  process.exitCode = isSound ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
