import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { K3sContainer } from '@testcontainers/k3s';
import { Wait } from 'testcontainers';
import { City, cityLabels, removeContainer } from './city.ts';
import { type CityImage, type CityRole, cityImage } from './city-image.ts';
import { docker } from './docker.ts';
import { ensureEngine } from './engine.ts';
import { step } from './progress.ts';

/** What kind of city to start; only the name is needed. */
export type CityOptions = {
  /** Its node's name and its host name on the shared network: a DNS label. */
  name: string;
  /** Only etcd, the API server and the controllers: no pods run, and it starts in a few seconds. */
  light?: boolean;
  /** A control plane, a scheduler and this many fake nodes with GPUs, played by kwok. */
  kwokNodes?: number;
  /** How many `nvidia.com/gpu` each node offers. */
  gpus?: number;
  /** Images of the engine to make available to its pods. */
  images?: string[];
  /** Name of a network to share with other cities, made when it is not there. */
  wan?: string;
  /** NodePorts to publish on this machine, needed only where containers' addresses are not reachable. */
  nodePorts?: number[];
  /** How long the autoscaler remembers higher recommendations when an HPA does not say; default 15. */
  downscaleStabilizationSeconds?: number;
  /** More arguments for `k3s server`. */
  serverArguments?: string[];
  /** The city stays when this process ends; otherwise the next start on this machine removes it. */
  keep?: boolean;
};

const startupSeconds = 240;
const upLine = /Node controller sync successful|k3s is up and running/;

/** Starts a city and resolves when it is ready for use. */
export async function startCity(options: CityOptions): Promise<City> {
  await ensureEngine();
  await removeAbandonedCities();
  const role: CityRole = options.light || options.kwokNodes ? 'control-plane' : 'node';
  const image = await cityImage(role);
  if (options.kwokNodes && !image.builtHere) {
    throw new Error('Fake nodes need the city image that is built here: set AICITY_CITY_IMAGE=local.');
  }
  const container = options.keep ? `aicity-${options.name}` : `aicity-${options.name}-${process.pid}`;
  await step(`starting city ${options.name}`, () => startContainer(container, options, role, image));
  try {
    if (options.wan) await joinNetwork(container, options.wan, options.name);
    const city = await City.of(container);
    if (options.images?.length) await city.loadImages(options.images);
    if (options.gpus && !image.builtHere) await city.advertiseGpus(options.gpus);
    return city;
  } catch (error) {
    await removeContainer(container);
    throw error;
  }
}

/** The containers of all cities on this machine, by city name. */
export async function listCities(): Promise<{ name: string; container: string; owner: string }[]> {
  const format = `{{.Label "${cityLabels.name}"}}\t{{.Names}}\t{{.Label "${cityLabels.owner}"}}`;
  const lines = await docker(['ps', '--all', '--filter', `label=${cityLabels.name}`, '--format', format]);
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'))
    .map(([name = '', container = '', owner = '']) => ({ name, container, owner }));
}

/** Removes the cities of processes that have ended without doing so. */
export async function removeAbandonedCities(): Promise<void> {
  for (const city of await listCities()) {
    if (city.owner !== keptOwner && !isAlive(city.owner)) await removeContainer(city.container);
  }
}

const keptOwner = 'kept';

/** A process, told apart from a later one with the same number by the moment it started. */
function ownerOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return `${pid}`;
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!;
    return `${pid}@${afterName.split(' ')[19]}`; // field 22 of proc_pid_stat(5): start time
  } catch {
    return undefined;
  }
}

function isAlive(owner: string): boolean {
  const pid = Number(owner.split('@')[0]);
  if (process.platform === 'linux') return ownerOf(pid) === owner;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A K3s container of which a control plane alone asks for no privileges. */
class CityContainer extends K3sContainer {
  dropPrivileges(): this {
    this.hostConfig.Privileged = false;
    this.hostConfig.Binds = [];
    return this;
  }
}

async function startContainer(
  container: string,
  options: CityOptions,
  role: CityRole,
  image: CityImage,
): Promise<void> {
  const lastLines: string[] = [];
  const environment: Record<string, string> = {};
  if (options.gpus) environment['CITY_GPUS'] = String(options.gpus);
  if (options.kwokNodes) environment['CITY_FAKE_NODES'] = String(options.kwokNodes);
  const definition = new CityContainer(image.reference)
    .withName(container)
    .withLabels({
      [cityLabels.name]: options.name,
      [cityLabels.owner]: options.keep ? keptOwner : ownerOf(process.pid)!,
      [cityLabels.role]: role,
      [cityLabels.wan]: options.wan ?? '',
      [cityLabels.builtHere]: String(image.builtHere),
    })
    .withEnvironment(environment)
    .withExposedPorts({ container: 6443, host: await freePort() }, ...(options.nodePorts ?? []))
    .withCommand(['server', ...serverArguments(options, role)])
    .withWaitStrategy(Wait.forLogMessage(upLine))
    .withStartupTimeout(startupSeconds * 1000)
    .withLogConsumer((stream) => {
      stream.on('data', (line: string) => {
        lastLines.push(String(line).trimEnd());
        if (lastLines.length > 25) lastLines.shift();
      });
    });
  if (role === 'control-plane' && image.builtHere) definition.dropPrivileges();
  try {
    await definition.start();
  } catch (error) {
    await removeContainer(container);
    throw new Error(
      `City ${options.name} did not start: ${(error as Error).message}. Its last lines:\n${lastLines.join('\n')}`,
    );
  }
}

function serverArguments(options: CityOptions, role: CityRole): string[] {
  const controllers = {
    'horizontal-pod-autoscaler-sync-period': '5s',
    // Young pods count at once; by default their CPU use is ignored for minutes.
    'horizontal-pod-autoscaler-cpu-initialization-period': '10s',
    'horizontal-pod-autoscaler-initial-readiness-delay': '5s',
    'horizontal-pod-autoscaler-downscale-stabilization': `${options.downscaleStabilizationSeconds ?? 15}s`,
  };
  return [
    '--disable=traefik',
    `--node-name=${options.name}`,
    `--tls-san=${options.name}`,
    ...(role === 'control-plane' ? ['--disable-agent'] : []),
    ...Object.entries(controllers).map(([flag, value]) => `--kube-controller-manager-arg=${flag}=${value}`),
    ...(options.serverArguments ?? []),
  ];
}

async function joinNetwork(container: string, network: string, alias: string): Promise<void> {
  await docker(['network', 'create', network]).catch((error: Error) => {
    if (!error.message.includes('already exists')) throw error;
  });
  await docker(['network', 'connect', '--alias', alias, network, container]);
}

/**
 * A port on which the city's API is published for good, so that a restart does not move it. It is below the
 * range from which the kernel hands out ports, so that nobody else is likely to take it meanwhile.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 26_000 + Math.floor(Math.random() * 4_000);
    const isFree = await new Promise<boolean>((done) => {
      const server = createServer();
      server.on('error', () => done(false));
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
}
