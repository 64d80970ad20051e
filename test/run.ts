/**
 * Runs the project's tests: `npm test`, or `npm test -- unit api` for some kinds of them. Whatever the chosen
 * kinds need is made first (a container engine, cluster images, the project's own images), with progress.
 * Anything after the kinds goes to jest: `npm run test:api -- control-plane -t answers`.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildNative, linkIntoCheckout } from '../model-server/native/build.ts';
import { clientPackages } from './clients/python.ts';
import { removeAbandoned } from './region/abandoned.ts';
import { cacheDirectory, repository } from './region/cache.ts';
import { cityImage } from './region/city-image.ts';
import { ensureEngine } from './region/engine.ts';
import { goPrograms, hostTool } from './region/go-programs.ts';
import { installationImages } from './region/installation.ts';
import { clock, say } from './region/progress.ts';

const kinds = ['unit', 'clients', 'api', 'hub', 'e2e', 'region', 'gateway'] as const;
type Kind = (typeof kinds)[number];
/** Takes minutes and gigabytes to build what few changes are about: only when it is asked for. */
const ON_REQUEST: readonly Kind[] = ['gateway'];

async function tensorflow(): Promise<void> {
  const report = (line: string) => say(`TensorFlow: ${line}`);
  await linkIntoCheckout(await buildNative({ arch: process.arch, gpu: false }, cacheDirectory, report));
}

async function controlPlanes(): Promise<void> {
  await ensureEngine();
  await cityImage('control-plane');
  await hostTool('kubectl');
}

async function cities(): Promise<void> {
  await ensureEngine();
  await cityImage('node');
  await hostTool('helm');
  await installationImages();
}

const preparations: Record<Kind, () => Promise<void>> = {
  unit: tensorflow,
  clients: async () => {
    await tensorflow();
    await clientPackages();
  },
  api: async () => {
    await controlPlanes();
    await goPrograms('object-store');
    await goPrograms('registry');
  },
  hub: async () => {
    await controlPlanes();
    await goPrograms('lua');
  },
  e2e: cities,
  region: cities,
  gateway: async () => {
    await controlPlanes();
    await goPrograms('traefik');
  },
};

async function prepare(chosen: Kind[]): Promise<void> {
  const startedAt = Date.now();
  for (const kind of chosen) await preparations[kind]();
  if (Date.now() - startedAt > 5_000) say(`everything is prepared, after ${clock(Date.now() - startedAt)}`);
}

/** Jest in a process of its own: it needs a flag, and must not outlive a test run that is interrupted. */
async function jest(chosen: Kind[], rest: string[]): Promise<number> {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const bin = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const child = spawn(process.execPath, [...flags, bin, ...rest, '--selectProjects', ...chosen], {
    cwd: repository,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

const args = process.argv.slice(2);
const firstOther = args.findIndex((argument) => !kinds.includes(argument as Kind));
const named = (firstOther === -1 ? args : args.slice(0, firstOther)) as Kind[];
const chosen = named.length > 0 ? named : kinds.filter((kind) => !ON_REQUEST.includes(kind));
try {
  await prepare(chosen);
} catch (error) {
  process.stderr.write(`[test] The tests could not be prepared: ${(error as Error).message}\n`);
  process.stdout.write('0 passed, 1 failed, 0 skipped\n');
  process.exit(1);
}
try {
  process.exitCode = await jest(chosen, firstOther === -1 ? [] : args.slice(firstOther));
} finally {
  // A run that was interrupted has not come to its own clean-up.
  if (chosen.some((kind) => kind !== 'unit' && kind !== 'clients')) await removeAbandoned();
}
