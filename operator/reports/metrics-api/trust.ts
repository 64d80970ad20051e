/** Keeps the request-header settings of the cluster up to date: they change when its certificates are rotated. */
import type { Logger } from 'pino';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resources } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  AUTHENTICATION_CONFIG_MAP,
  type RequestHeaderConfig,
  requestHeaderConfigIn,
} from './request-header.ts';

const LOOK_EVERY_SECONDS = 60;
const LOOK_AGAIN_SOON_SECONDS = 5;

export class RequestHeaderTrust {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onClientAuthority: (pem: string) => void;
  #config: RequestHeaderConfig | undefined;
  #problem = '';

  constructor(options: {
    client: KubeClient;
    clock: Clock;
    log: Logger;
    /** Told the authorities for client certificates, at first and after each change. */
    onClientAuthority: (pem: string) => void;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onClientAuthority = options.onClientAuthority;
  }

  /** Undefined until it was read once, and where the cluster has no aggregation layer: nobody can be known then. */
  get config(): RequestHeaderConfig | undefined {
    return this.#config;
  }

  /** Reads the settings again and again until `signal` aborts; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      await this.#clock.sleep(this.#problem === '' ? LOOK_EVERY_SECONDS : LOOK_AGAIN_SOON_SECONDS, signal);
    }
  }

  /** Reads the settings once. When they cannot be read, the last ones stay. */
  async look(signal?: AbortSignal): Promise<void> {
    try {
      const map = await this.#client.get<KubeObject & { data?: Record<string, string> }>(
        resources.ConfigMap,
        AUTHENTICATION_CONFIG_MAP,
        { signal },
      );
      this.#config = requestHeaderConfigIn(map.data);
      this.#problem = '';
      this.#onClientAuthority(this.#config?.clientAuthorityPem ?? '');
    } catch (err) {
      if (signal?.aborted) return;
      const problem = String(err);
      if (problem !== this.#problem)
        this.#log.warn({ err }, 'the settings for aggregated APIs cannot be read');
      this.#problem = problem;
    }
  }
}
