import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ownerLabel, removed } from './abandoned.ts';
import { cached } from './cache.ts';
import type { CityRole } from './city-image.ts';
import { run } from './command.ts';
import { docker } from './docker.ts';
import { Faults } from './faults.ts';
import { hostTool } from './go-programs.ts';
import { importImages } from './image-import.ts';
import { step } from './progress.ts';

/** Labels on a city's container, from which any process can find it and drive it. */
export const cityLabels = {
  name: 'io.aicity.test.city',
  role: 'io.aicity.test.role',
  wan: 'io.aicity.test.wan',
  builtHere: 'io.aicity.test.built-here',
};

const kubeconfigInside = '/etc/rancher/k3s/k3s.yaml';
const gpuFileInside = '/var/lib/rancher/k3s/gpus';

type Container = {
  State: { Running: boolean; Paused: boolean };
  Config: { Labels: Record<string, string> };
  NetworkSettings: {
    Ports: Record<string, { HostPort: string }[] | null>;
    Networks: Record<string, { IPAddress: string; Gateway: string }>;
  };
};

/** A running cluster: a whole single-node Kubernetes, or a control plane, in one container. */
export class City {
  /** The city's name: its node's name and its host name on the shared network. */
  readonly name: string;
  readonly container: string;
  readonly role: CityRole;
  /** The network shared with other cities, if there is one. */
  readonly wan: string | undefined;
  /** Whether its image was built here, which some faults need. */
  readonly builtHere: boolean;
  /** A file with administrator's credentials for use on this machine. */
  readonly kubeconfigPath: string;
  readonly faults: Faults;

  private constructor(container: string, labels: Record<string, string>) {
    this.container = container;
    this.name = labels[cityLabels.name]!;
    this.role = labels[cityLabels.role] as CityRole;
    this.wan = labels[cityLabels.wan] || undefined;
    this.builtHere = labels[cityLabels.builtHere] === 'true';
    this.kubeconfigPath = cached('cities', container, 'kubeconfig');
    this.faults = new Faults(this);
  }

  /** The city in a running container, which any process may have started. */
  static async of(container: string): Promise<City> {
    const city = new City(container, (await inspect(container)).Config.Labels);
    await city.readKubeconfig();
    return city;
  }

  /**
   * Administrator's credentials as text, for use on this machine. Read again after `faults.restart()`: an
   * engine may publish the API on another port.
   */
  async readKubeconfig(): Promise<string> {
    const inside = await this.exec(['cat', kubeconfigInside]);
    const port = (await inspect(this.container)).NetworkSettings.Ports['6443/tcp']?.[0]?.HostPort;
    if (!port) throw new Error(`City ${this.name} publishes no port for its API; is its container running?`);
    const outside = inside.replace(/server: \S+/, `server: https://127.0.0.1:${port}`);
    mkdirSync(dirname(this.kubeconfigPath), { recursive: true });
    writeFileSync(this.kubeconfigPath, outside, { mode: 0o600 });
    return outside;
  }

  /** Runs kubectl against this city and returns its output. */
  async kubectl(args: string[], input?: string): Promise<string> {
    return await run(await hostTool('kubectl'), ['--kubeconfig', this.kubeconfigPath, ...args], { input });
  }

  /** Applies manifests, server-side, and returns kubectl's output. */
  async apply(manifests: string): Promise<string> {
    return await this.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], manifests);
  }

  /** Makes a namespace of the caller's own, so that tests that share a city do not meet, and returns its name. */
  async freshNamespace(prefix = 'test'): Promise<string> {
    const name = `${prefix}-${randomBytes(4).toString('hex')}`;
    await this.kubectl(['create', 'namespace', name]);
    return name;
  }

  /** Runs helm against this city and returns its output. */
  async helm(args: string[]): Promise<string> {
    return await run(await hostTool('helm'), ['--kubeconfig', this.kubeconfigPath, ...args]);
  }

  /** Runs a program inside the city's container and returns its output. */
  async exec(args: string[], input?: string): Promise<string> {
    const interactive = input === undefined ? [] : ['--interactive'];
    return await docker(['exec', ...interactive, this.container, ...args], { input });
  }

  /** Makes the engine's images available to the city's pods; those it already has are skipped. */
  async loadImages(images: string[]): Promise<void> {
    await step(`loading images into ${this.name}`, () => importImages(this, images));
  }

  /** Where a NodePort service of this city is reached from this machine. */
  async url(nodePort: number): Promise<string> {
    const { Ports: ports, Networks: networks } = (await inspect(this.container)).NetworkSettings;
    const published = ports[`${nodePort}/tcp`]?.[0]?.HostPort;
    if (published) return `http://127.0.0.1:${published}`;
    return `http://${managementNetwork(networks, this.wan).IPAddress}:${nodePort}`;
  }

  /** Its address on the network that it shares with other cities; undefined while it is cut off. */
  async wanAddress(): Promise<string | undefined> {
    const { Networks: networks } = (await inspect(this.container)).NetworkSettings;
    return (this.wan && networks[this.wan]?.IPAddress) || undefined;
  }

  /** This machine's address as the city and its pods reach it. */
  async hostAddress(): Promise<string> {
    return managementNetwork((await inspect(this.container)).NetworkSettings.Networks, this.wan).Gateway;
  }

  /** Sets how many `nvidia.com/gpu` the node offers; it keeps offering them after a restart. */
  async advertiseGpus(count: number): Promise<void> {
    await this.exec(['sh', '-c', `echo ${count} >${gpuFileInside}`]);
    const gpus = { 'nvidia.com/gpu': String(count) };
    const patch = JSON.stringify({ status: { capacity: gpus, allocatable: gpus } });
    await this.kubectl([
      'patch',
      'node',
      this.name,
      '--subresource=status',
      '--type=merge',
      '--patch',
      patch,
    ]);
  }

  /** The last lines that the city itself, or one of its programs (`kubelet`, `etcd` …), has logged. */
  async logs(program?: string, lines = 200): Promise<string> {
    if (program) return await this.exec(['tail', '-n', String(lines), `/var/log/city/${program}.log`]);
    return await docker(['logs', '--tail', String(lines), this.container]);
  }

  /** The last lines that a pod's containers have logged; `pod` is a name, or a selector such as `app=x`. */
  async podLogs(namespace: string, pod: string, lines = 200): Promise<string> {
    const which = pod.includes('=') ? ['--selector', pod] : [pod];
    return await this.kubectl(['logs', '-n', namespace, ...which, '--all-containers', `--tail=${lines}`]);
  }

  /** Resolves when the API answers and, in a city with a node, the node is ready. */
  async untilUp(timeoutSeconds = 120): Promise<void> {
    await this.until('is up', timeoutSeconds, async () => {
      if (this.builtHere) await this.exec(['test', '-e', '/run/city/up']);
      if ((await this.kubectl(['get', '--raw', '/readyz'])) !== 'ok') return false;
      if (this.role === 'control-plane') return true;
      const ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}';
      return /^True( True)*$/.test(await this.kubectl(['get', 'nodes', '-o', ready]));
    });
  }

  /**
   * Resolves when `check` returns true. A check that throws counts as not yet.
   *
   * @throws Error naming `what` and the last reason when the time is up
   */
  async until(what: string, timeoutSeconds: number, check: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    let reason = 'the condition was never true';
    do {
      try {
        if (await check()) return;
      } catch (error) {
        reason = (error as Error).message;
      }
      await new Promise((later) => setTimeout(later, 250));
    } while (Date.now() < deadline);
    throw new Error(`City ${this.name}: "${what}" did not come true within ${timeoutSeconds} s: ${reason}`);
  }

  /** Stops the city and deletes all of its data. */
  async stop(): Promise<void> {
    await removeContainer(this.container);
  }
}

/** Removes a city's container with its volumes and credentials; a container that is gone is no error. */
export async function removeContainer(container: string): Promise<void> {
  await removed(docker(['rm', '--force', '--volumes', container]));
  rmSync(dirname(cached('cities', container, 'kubeconfig')), { recursive: true, force: true });
}

/** The containers of all cities on this machine, running or not. */
export async function listCities(): Promise<
  { name: string; container: string; owner: string; wan: string }[]
> {
  const labels = [cityLabels.name, ownerLabel, cityLabels.wan].map((label) => `{{.Label "${label}"}}`);
  const format = `{{.Names}}\t${labels.join('\t')}`;
  const lines = await docker(['ps', '--all', '--filter', `label=${cityLabels.name}`, '--format', format]);
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'))
    .map(([container = '', name = '', owner = '', wan = '']) => ({ name, container, owner, wan }));
}

async function inspect(container: string): Promise<Container> {
  const [found] = JSON.parse(await docker(['container', 'inspect', container])) as Container[];
  return found!;
}

/** The network on which this machine and the city talk; it stays when the shared network is cut. */
function managementNetwork(networks: Container['NetworkSettings']['Networks'], wan: string | undefined) {
  const network = Object.entries(networks).find(([name]) => name !== wan)?.[1];
  if (!network) throw new Error('The city is on no network but the one it shares with other cities.');
  return network;
}
