/** A program behind an address of its own that answers with its name, as a city's model servers would. */
import { ownerLabel, thisOwner } from '../region/abandoned.ts';
import { docker } from '../region/docker.ts';
import { nodeImage } from '../region/node-image.ts';

const PORT = 8080;

export class Backend {
  readonly address: string;
  readonly #container: string;

  private constructor(container: string, address: string) {
    this.#container = container;
    this.address = address;
  }

  static async start(name: string): Promise<Backend> {
    const program = `require('node:http').createServer((_, answer) => answer.end('${name}')).listen(${PORT})`;
    const container = await docker([
      ...['run', '--detach', '--label', `${ownerLabel}=${thisOwner()}`],
      ...[await nodeImage(), '-e', program],
    ]);
    const path = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return new Backend(container, await docker(['inspect', '--format', path, container]));
  }

  get url(): string {
    return `http://${this.address}:${PORT}`;
  }

  /** From now on connections hang, until `thaw`. */
  async freeze(): Promise<void> {
    await docker(['pause', this.#container]);
  }

  async thaw(): Promise<void> {
    await docker(['unpause', this.#container]);
  }

  async stop(): Promise<void> {
    await docker(['rm', '--force', this.#container]);
  }
}
