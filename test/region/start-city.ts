import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { K3sContainer } from '@testcontainers/k3s';
import { Wait } from 'testcontainers';
import { keptOwner, ownerLabel, removeAbandoned, thisOwner } from './abandoned.ts';
import { City, cityLabels, listCities, removeContainer } from './city.ts';
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
  /** Name of a network to share with the other cities of this process that name it too. */
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
/** What the log says when all is up; the stock image's control plane alone never speaks of a node. */
const upLine: Record<CityRole, RegExp> = {
  node: /Node controller sync successful/,
  'control-plane': /Node controller sync successful|k3s is up and running/,
};

/** Starts a city and resolves when it is ready for use. */
export async function startCity(options: CityOptions): Promise<City> {
  await ensureEngine();
  await removeAbandoned();
  const role: CityRole = options.light || options.kwokNodes ? 'control-plane' : 'node';
  const image = await cityImage(role);
  if (options.kwokNodes && !image.builtHere) {
    throw new Error('Fake nodes need the city image that is built here: set AICITY_CITY_IMAGE=local.');
  }
  // Kept cities are found by their names; of the others, several processes may each have one of the same name.
  const container = `aicity-${options.name}${options.keep ? '' : `-${randomBytes(4).toString('hex')}`}`;
  if (options.keep && (await listCities()).some((city) => city.container === container)) {
    throw new Error(
      `City ${options.name} is there already; take it down first: npm run region -- down ${options.name}`,
    );
  }
  const wan = options.wan ? `${options.wan}${options.keep ? '' : `-${process.pid}`}` : '';
  const owner = options.keep ? keptOwner : thisOwner();
  const labels = {
    [ownerLabel]: owner,
    [cityLabels.name]: options.name,
    [cityLabels.role]: role,
    [cityLabels.wan]: wan,
    [cityLabels.builtHere]: String(image.builtHere),
  };
  await step(`starting city ${options.name}`, () => startContainer(container, labels, options, role, image));
  try {
    if (wan) await joinNetwork(container, wan, owner, options.name);
    const city = await City.of(container);
    if (!image.builtHere) await city.untilUp(startupSeconds);
    if (options.images?.length) await city.loadImages(options.images);
    if (options.gpus && !image.builtHere) await city.advertiseGpus(options.gpus);
    return city;
  } catch (error) {
    await removeContainer(container);
    throw error;
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
  labels: Record<string, string>,
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
    .withLabels(labels)
    .withEnvironment(environment)
    .withExposedPorts({ container: 6443, host: await freePort() }, ...(options.nodePorts ?? []))
    .withCommand(['server', ...serverArguments(options, role)])
    .withWaitStrategy(Wait.forLogMessage(upLine[role]))
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
    const told = lastLines.join('\n');
    throw new Error(
      `City ${options.name} did not start: ${(error as Error).message}. ${remedyFor(told)}Its last lines:\n${told}`,
    );
  }
}

/** Watches of files are counted for all containers of a machine together, and each node has a dozen. */
function remedyFor(told: string): string {
  return told.includes('too many open files')
    ? 'Other cities hold all file watches of this machine: take some down, or raise fs.inotify.max_user_instances. '
    : '';
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

async function joinNetwork(container: string, network: string, owner: string, alias: string): Promise<void> {
  await docker(['network', 'create', '--label', `${ownerLabel}=${owner}`, network]).catch((error: Error) => {
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
