/**
 * Clients of a service on a hub: they go where `status.endpoints[]` says, by its weights, read it anew every second, and
 * try nothing twice. Every request is remembered, so that one can tell which were not answered, and when.
 */
import { Agent, request } from 'undici';
import type { Endpoint, ModelService } from '../../crds/model-service.ts';
import { resources } from '../../operator/kube/resources.ts';
import { HUB_NAME, type Region } from './region.ts';

export interface ClientsPlan {
  readonly namespace: string;
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
  readonly #region: Region;
  readonly #plan: ClientsPlan;
  readonly #dispatcher = new Agent({ connect: { timeout: TIMEOUT_MS } });
  readonly #ending = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #answered = new Map<string, number>();
  #endpoints: readonly (Endpoint & { readonly reached: string })[] = [];
  #readAtMs = 0;

  constructor(region: Region, plan: ClientsPlan) {
    this.#region = region;
    this.#plan = plan;
    const clients = Array.from({ length: plan.clients ?? 4 }, (_, at) => this.#ask(at));
    this.#running = Promise.all([this.#follow(), ...clients]);
  }

  /** Requests that were answered, by city. */
  get answered(): ReadonlyMap<string, number> {
    return this.#answered;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
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

  /** Lets every client finish the request that it is in. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#dispatcher.close();
  }

  async #follow(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      // A hub that does not answer says nothing new.
      await this.#read().catch(() => {});
      await pause(READ_EVERY_MS);
    }
  }

  async #read(): Promise<void> {
    const { status } = await this.#region
      .client(HUB_NAME)
      .get<ModelService>(resources.ModelService, this.#plan, { timeoutSeconds: 2 });
    const reached = (status?.endpoints ?? []).map(async (endpoint) => {
      const url = new URL(endpoint.url);
      // The name of a city is known on the shared network only.
      if (this.#region.cities.has(url.hostname)) url.hostname = await this.#region.addressOf(url.hostname);
      return { ...endpoint, reached: url.origin };
    });
    this.#endpoints = await Promise.all(reached);
    this.#readAtMs = performance.now();
  }

  async #ask(client: number): Promise<void> {
    const { name, body, pauseMilliseconds = 100 } = this.#plan;
    for (let turn = client; !this.#ending.signal.aborted; turn++) {
      const endpoint = chosen(this.#endpoints, turn);
      if (endpoint) {
        const atMs = performance.now();
        const why = await this.#post(`${endpoint.reached}/v1/models/${name}:predict`, body);
        if (why === undefined)
          this.#answered.set(endpoint.city, (this.#answered.get(endpoint.city) ?? 0) + 1);
        else this.unanswered.push({ city: endpoint.city, atMs, why });
      }
      await pause(pauseMilliseconds);
    }
  }

  /** @returns why there was no answer; undefined when there was one */
  async #post(url: string, body: string): Promise<string | undefined> {
    try {
      const { statusCode, body: answer } = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        dispatcher: this.#dispatcher,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      });
      const text = await answer.text();
      return statusCode === 200 && text.includes('predictions')
        ? undefined
        : `${statusCode}: ${text.slice(0, 200)}`;
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      return `${code} ${message}`;
    }
  }
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
