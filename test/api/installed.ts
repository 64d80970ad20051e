/**
 * The operator's own image beside a real API server that runs no pods: installed by its chart, and started as a container
 * with the identity, the rights and the settings that the chart gives it and nothing else.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import type { City } from '../region/city.ts';
import { run } from '../region/command.ts';
import { docker } from '../region/docker.ts';
import { operatorImage } from '../region/project-images.ts';
import { chart } from './helm.ts';

interface Kubeconfig {
  readonly clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  readonly users: { user: object }[];
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: {
          readonly env: { readonly name: string; readonly value?: string }[];
          readonly volumeMounts?: { readonly name: string; readonly mountPath: string }[];
        }[];
        readonly volumes?: { readonly name: string; readonly secret: { readonly secretName: string } }[];
      };
    };
  };
}

export class InstalledOperator {
  readonly container: string;
  readonly #city: City;
  readonly #namespace: string;
  readonly #folder: string;

  private constructor(city: City, namespace: string, container: string, folder: string) {
    this.#city = city;
    this.#namespace = namespace;
    this.container = container;
    this.#folder = folder;
  }

  /** Resolves when it leads. @param settings for helm, each as `--set` takes it */
  static async start(
    city: City,
    namespace: string,
    settings: readonly string[] = [],
  ): Promise<InstalledOperator> {
    await city.helm([
      ...['install', 'aicity-operator', chart, '-n', namespace, '--take-ownership', '--force-conflicts'],
      ...settings.flatMap((setting) => ['--set', setting]),
    ]);
    const folder = await mkdtemp(join(tmpdir(), 'aicity-operator-'));
    await chmod(folder, 0o755); // for the user that the image runs as
    const account = ['create', 'token', 'aicity-operator', '-n', namespace, '--duration=1h'];
    const { config } = await accessTo(city, await city.kubectl(account));
    await writeFile(join(folder, 'config'), config, { mode: 0o644 });
    const container = await startContainer(city, namespace, folder);
    const operator = new InstalledOperator(city, namespace, container, folder);
    await city.until('the operator leads', 120, async () => {
      const told = await operator.log();
      if (told.includes('"msg":"leading"')) return true;
      throw new Error(told.slice(-2000));
    });
    return operator;
  }

  async log(): Promise<string> {
    return await run('sh', ['-c', `docker logs ${this.container} 2>&1`]);
  }

  /** Lines of its log that tell of a call that it may not make. */
  async refusals(): Promise<string[]> {
    return (await this.log()).split('\n').filter((line) => /forbidden|"status":403/i.test(line));
  }

  /** As a kubelet ends it. @returns its exit code */
  async end(): Promise<number> {
    await docker(['stop', '--time', '30', this.container]);
    const [{ State }] = JSON.parse(await docker(['container', 'inspect', this.container]));
    return State.ExitCode;
  }

  async uninstall(): Promise<void> {
    await this.#city.helm(['uninstall', 'aicity-operator', '-n', this.#namespace, '--ignore-not-found']);
  }

  /** Waits for the garbage collector, too: the next operator in this city serves the same part of the API. */
  async remove(): Promise<void> {
    await docker(['rm', '--force', this.container]);
    await this.uninstall();
    await this.#city.until('its APIServices are gone', 120, async () => {
      const servedFrom = ['get', 'apiservices', '-o', 'jsonpath={.items[*].spec.service.namespace}'];
      return !(await this.#city.kubectl(servedFrom)).split(' ').includes(this.#namespace);
    });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A city's API server as its neighbours on the engine's network reach it, and a kubeconfig with that token. */
export async function accessTo(
  city: City,
  token: string,
): Promise<{ server: string; caData: string; config: string }> {
  const config = load(await city.readKubeconfig()) as Kubeconfig;
  const { cluster } = config.clusters[0]!;
  cluster.server = `https://${await addressOf(city.container)}:6443`;
  config.users[0]!.user = { token };
  return {
    server: cluster.server,
    caData: cluster['certificate-authority-data'],
    config: dump(config),
  };
}

export async function addressOf(container: string): Promise<string> {
  const format = '{{.NetworkSettings.Networks.bridge.IPAddress}}';
  return await docker(['container', 'inspect', '--format', format, container]);
}

/** What the Deployment of the chart says of the pod; in a pod the downward API tells the address. */
async function startContainer(city: City, namespace: string, folder: string): Promise<string> {
  const read = async (kind: string, name: string) =>
    JSON.parse(await city.kubectl(['get', kind, name, '-n', namespace, '-o', 'json']));
  const { template } = ((await read('deployment', 'aicity-operator')) as Deployment).spec;
  const { containers, volumes = [] } = template.spec;
  const { env, volumeMounts = [] } = containers[0]!;
  const mounts = [`${folder}/config:/etc/kubeconfig/config:ro`];
  for (const { name, mountPath } of volumeMounts) {
    const { secretName } = volumes.find((volume) => volume.name === name)!.secret;
    const { data } = (await read('secret', secretName)) as { data: Record<string, string> };
    for (const [key, value] of Object.entries(data)) {
      const path = join(folder, `${name}-${key}`);
      await writeFile(path, Buffer.from(value, 'base64'), { mode: 0o644 });
      mounts.push(`${path}:${mountPath}/${key}:ro`);
    }
  }
  const environment = {
    ...Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    KUBECONFIG: '/etc/kubeconfig/config',
    AICITY_OPERATOR_NAMESPACE: namespace,
    AICITY_POD_NAME: 'aicity-operator-0',
  };
  const start = [
    "process.env.AICITY_POD_IP = require('node:os').networkInterfaces().eth0[0].address",
    "import('/app/operator.mjs')",
  ];
  return await docker([
    ...['run', '--detach', '--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'],
    ...mounts.flatMap((mount) => ['--volume', mount]),
    ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...[await operatorImage(), '-e', start.join('; ')],
  ]);
}
