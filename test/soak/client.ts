/** A client that asks as soon as it is answered, over one connection, and checks every number that it gets. */
import { Agent, type IncomingMessage, request } from 'node:http';

const MOST_FAILURES = 100;

export class Client {
  answered = 0;
  /** Versions that have answered: the model multiplies by its version. */
  readonly versions = new Set<number>();
  readonly failed: string[] = [];
  readonly #url: string;
  readonly #width: number;
  readonly #body: Buffer;
  readonly #jsonLength: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** @param width numbers in a row of the input, all of them ones. */
  constructor(url: string, width: number) {
    this.#url = `${url}/v2/models/traffic/infer`;
    this.#width = width;
    const ones = new Float32Array(width).fill(1);
    const json = JSON.stringify({
      inputs: [
        {
          ...{ name: 'dense_input', datatype: 'FP32', shape: [1, width] },
          parameters: { binary_data_size: ones.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    });
    this.#jsonLength = json.length;
    this.#body = Buffer.concat([Buffer.from(json), Buffer.from(ones.buffer)]);
  }

  /** @param until by `performance.now()`. */
  async run(until: number): Promise<void> {
    while (performance.now() < until && this.failed.length < MOST_FAILURES) {
      try {
        await this.#ask();
        this.answered++;
      } catch (error) {
        this.failed.push((error as Error).message);
      }
    }
    this.#agent.destroy();
  }

  async #ask(): Promise<void> {
    const { status, head, body } = await this.#post();
    if (status !== 200) throw new Error(`${status} ${body.toString().slice(0, 200)}`);
    const { model_version: named } = JSON.parse(body.subarray(0, head).toString());
    const bytes = new Uint8Array(body.subarray(head));
    const numbers = new Float32Array(bytes.buffer);
    const version = (numbers[0] ?? 0) / this.#width;
    if (String(version) !== named || numbers.some((number) => number !== numbers[0])) {
      throw new Error(`version ${named} answered ${numbers.slice(0, 3)}`);
    }
    this.versions.add(version);
  }

  #post(): Promise<{ status: number; head: number; body: Buffer }> {
    const headers = {
      'content-length': this.#body.length,
      'inference-header-content-length': this.#jsonLength,
    };
    return new Promise((resolve, reject) => {
      const onAnswer = (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            head: Number(response.headers['inference-header-content-length'] ?? 0),
            body: Buffer.concat(chunks),
          }),
        );
      };
      const outgoing = request(this.#url, { method: 'POST', agent: this.#agent, headers }, onAnswer);
      outgoing.on('error', reject).end(this.#body);
    });
  }
}
