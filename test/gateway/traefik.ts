/** Traefik, a Gateway that others make, as a process of this machine that reads a city's Gateway API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../api/object-store.ts';
import type { City } from '../region/city.ts';
import { goPrograms } from '../region/go-programs.ts';

export const CONTROLLER = 'traefik.io/gateway-controller';

export class Traefik {
  /** Where clients ask; a listener of a Gateway has to name this port. */
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  /** Starts it; Gateways of its class may be made before and after. */
  static async start(city: City): Promise<Traefik> {
    const program = join(await goPrograms('traefik'), 'traefik');
    const port = await freePort('0.0.0.0');
    const settings = [
      `--entryPoints.web.address=:${port}`,
      '--providers.kubernetesGateway=true',
      '--global.checkNewVersion=false',
      '--global.sendAnonymousUsage=false',
    ];
    const env = { KUBECONFIG: city.kubeconfigPath };
    const child = spawn(program, settings, { env, stdio: 'ignore' });
    return new Traefik(port, child);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
