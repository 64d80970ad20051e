/**
 * Clients of a service on a hub: they go where `status.endpoints[]` says, by its weights, read it anew every second, and
 * try nothing twice. Every request is remembered, so that one can tell which were not answered, and when.
 */
import { Agent, request } from 'undici';
import type { Endpoint, ModelService } from '../../crds/model-service.ts';
import { resources } from '../../operator/kube/resources.ts';
import { HUB_NAME, type Region } from './region.ts';

/** An endpoint, and where it is reached from this machine. */
export type ReachedEndpoint = Endpoint & { readonly reached: string };

export interface ClientsPlan {
  /** What `status.endpoints[]` says now. */
  readonly read: () => Promise<readonly ReachedEndpoint[]>;
  /** Of the model. */
  readonly name: string;
  readonly clients?: number;
  /** Pause of each client between two requests. */
  readonly pauseMilliseconds?: number;
  /** What is sent to `/v1/models/NAME:predict`. */
  readonly body: string;
}

export interface Unanswered {
  readonly city: string;
  /** When the request began, by `performance.now()`. */
  readonly atMs: number;
  readonly why: string;
}

const READ_EVERY_MS = 1_000;
const TIMEOUT_MS = 5_000;

export class EndpointClients {
  readonly unanswered: Unanswered[] = [];
  readonly #plan: ClientsPlan;
  readonly #dispatcher = new Agent({ connect: { timeout: TIMEOUT_MS } });
  readonly #ending = new AbortController();
  readonly #running: Promise<unknown>;
  #stopped: Promise<void> | undefined;
  readonly #answered = new Map<string, number>();
  readonly #answers = new Map<number, number>();
  readonly #answeredAtMs: number[] = [];
  #lastAnswer = Number.NaN;
  #endpoints: readonly ReachedEndpoint[] = [];
  #readAtMs = 0;

  constructor(plan: ClientsPlan) {
    this.#plan = plan;
    const clients = Array.from({ length: plan.clients ?? 4 }, (_, at) => this.#ask(at));
    this.#running = Promise.all([this.#follow(), ...clients]);
  }

  /** Requests that were answered, by city. */
  get answered(): ReadonlyMap<string, number> {
    return this.#answered;
  }

  /** How often each number was the first of an answer, rounded to a hundredth: batches differ in the last bits. */
  get answers(): ReadonlyMap<number, number> {
    return this.#answers;
  }

  /** The newest of them. */
  get lastAnswer(): number {
    return this.#lastAnswer;
  }

  get answeredInAll(): number {
    return this.#answeredAtMs.length;
  }

  /** Answers per second over the last seconds. */
  requestsPerSecond(seconds: number): number {
    const since = performance.now() - seconds * 1000;
    const first = this.#answeredAtMs.findLastIndex((at) => at < since) + 1;
    return (this.#answeredAtMs.length - first) / seconds;
  }

  /** Where requests go, and at which address of this machine's networks. */
  get endpoints(): readonly ReachedEndpoint[] {
    return this.#endpoints;
  }

  async untilAnswered(more: number, timeoutSeconds = 60): Promise<void> {
    const wanted = this.answeredInAll + more;
    const deadline = performance.now() + timeoutSeconds * 1000;
    while (this.answeredInAll < wanted) {
      if (performance.now() > deadline) {
        const why = this.unanswered.slice(-3).map(({ city, why }) => `${city}: ${why}`);
        throw new Error(`only ${this.answeredInAll} of ${wanted} requests were answered; ${why.join('; ')}`);
      }
      await pause(50);
    }
  }

  /** Requests that began since then and were not answered. */
  unansweredSince(atMs: number): Unanswered[] {
    return this.unanswered.filter((one) => one.atMs >= atMs);
  }

  /** Waits until the endpoints have been read once more; at once when the hub does not answer. */
  async untilReadAgain(): Promise<void> {
    const since = performance.now();
    const deadline = since + 3 * READ_EVERY_MS;
    while (this.#readAtMs <= since && performance.now() < deadline) await pause(50);
  }

  /** Lets every client finish the request that it is in; a second call waits for the same. */
  stop(): Promise<void> {
    this.#ending.abort();
    this.#stopped ??= this.#running.then(() => this.#dispatcher.close());
    return this.#stopped;
  }

  async #follow(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      // A hub that does not answer says nothing new.
      await this.#read().catch(() => {});
      await pause(READ_EVERY_MS);
    }
  }

  async #read(): Promise<void> {
    this.#endpoints = await this.#plan.read();
    this.#readAtMs = performance.now();
  }

  async #ask(client: number): Promise<void> {
    const { name, body, pauseMilliseconds = 100 } = this.#plan;
    for (let turn = client; !this.#ending.signal.aborted; turn++) {
      const endpoint = chosen(this.#endpoints, turn);
      if (endpoint) {
        const atMs = performance.now();
        try {
          this.#count(endpoint.city, await this.#post(`${endpoint.reached}/v1/models/${name}:predict`, body));
        } catch (error) {
          const { code = '', message } = error as NodeJS.ErrnoException;
          this.unanswered.push({ city: endpoint.city, atMs, why: `${code} ${message}`.trim() });
        }
      }
      await pause(pauseMilliseconds);
    }
  }

  #count(city: string, answer: number): void {
    this.#answered.set(city, (this.#answered.get(city) ?? 0) + 1);
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
    this.#answeredAtMs.push(performance.now());
    this.#lastAnswer = answer;
  }

  /** @returns the first number of the answer */
  async #post(url: string, body: string): Promise<number> {
    const { statusCode, body: answer } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      dispatcher: this.#dispatcher,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const text = await answer.text();
    if (statusCode !== 200) throw new Error(`${statusCode}: ${text.slice(0, 200)}`);
    const first = (JSON.parse(text) as { predictions?: number[][] }).predictions?.[0]?.[0];
    if (typeof first !== 'number') throw new Error(`no forecast: ${text.slice(0, 200)}`);
    return Math.round(first * 100) / 100;
  }
}

/** Asks the hub for the endpoints of one service. */
export function endpointsOn(
  region: Region,
  service: { readonly namespace: string; readonly name: string },
): ClientsPlan['read'] {
  return async () => {
    const { status } = await region
      .client(HUB_NAME)
      .get<ModelService>(resources.ModelService, service, { timeoutSeconds: 2 });
    const reached = (status?.endpoints ?? []).map(async (endpoint) => {
      const url = new URL(endpoint.url);
      // The name of a city is known on the shared network only.
      if (region.cities.has(url.hostname)) url.hostname = await region.addressOf(url.hostname);
      return { ...endpoint, reached: url.origin };
    });
    return await Promise.all(reached);
  };
}

/** Turns are dealt to the endpoints in proportion to their weights. */
function chosen<T extends Pick<Endpoint, 'weight'>>(endpoints: readonly T[], turn: number): T | undefined {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  let rest = total === 0 ? 0 : turn % total;
  return endpoints.find(({ weight }) => {
    rest -= weight;
    return rest < 0;
  });
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((later) => setTimeout(later, milliseconds));
}
