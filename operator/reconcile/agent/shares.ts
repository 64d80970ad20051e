/** The local copy of the city's shares on the hub. */
import type { Logger } from 'pino';
import type { ModelService } from '../../../crds/model-service.ts';
import { cityNamespace } from '../../../crds/region.ts';
import type { KubeClient } from '../../kube/client.ts';
import { resources } from '../../kube/resources.ts';
import { grantOf, serviceOf } from '../../plan/agent/mirror.ts';
import type { Clock } from '../../runtime/clock.ts';
import { noMetrics, type RuntimeMetrics } from '../../runtime/metrics.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { Store } from '../../runtime/store.ts';

const OF_SERVICE = 'service';

export interface SharesOptions {
  /** To the hub. */
  readonly client: KubeClient;
  readonly city: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
}

export class Shares {
  readonly store: Store<ModelService>;
  readonly #options: SharesOptions;
  #reflector: Reflector<ModelService>;
  #again = new AbortController();

  constructor(options: SharesOptions) {
    this.#options = options;
    this.store = new Store<ModelService>({
      onError: (err) => options.log.error({ err }, 'a share could not be passed on'),
      indexes: {
        [OF_SERVICE]: (share) => {
          const key = serviceOf(share);
          return key === undefined ? [] : [key];
        },
      },
    });
    this.#reflector = this.#newReflector();
  }

  /** The share of a service; of several the one whose grant is the newest. */
  of(key: string): ModelService | undefined {
    const [newest] = this.store.by(OF_SERVICE, key).sort((a, b) => epochOf(b) - epochOf(a));
    return newest;
  }

  /** Namespace/name of every service of which the hub has a share for the city. */
  keys(): string[] {
    return this.store.list().flatMap((share) => serviceOf(share) ?? []);
  }

  /** Reads everything anew: a connection that was cut may not have noticed it yet. */
  readAgain(): void {
    this.#again.abort();
  }

  /** Follows the hub until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { metrics } = this.#options;
    const { watched } = this.#reflector;
    metrics.reflectorStarted(watched, this);
    while (!signal.aborted) {
      this.#again = new AbortController();
      const end = () => this.#again.abort();
      signal.addEventListener('abort', end, { once: true });
      await this.#reflector.run(this.#again.signal);
      signal.removeEventListener('abort', end);
      this.#reflector = this.#newReflector();
    }
  }

  /** For the metrics of the local copy. */
  staleSeconds(): number {
    return this.#reflector.staleSeconds();
  }

  get size(): number {
    return this.store.size;
  }

  #newReflector(): Reflector<ModelService> {
    const { city, metrics } = this.#options;
    return new Reflector<ModelService>({
      ...this.#options,
      resource: resources.ModelService,
      store: this.store,
      selection: { namespace: cityNamespace(city) },
      // One series for all reflectors that follow one another.
      metrics: { ...noMetrics, watchRestarted: metrics.watchRestarted.bind(metrics) },
    });
  }
}

function epochOf(share: ModelService): number {
  return grantOf(share)?.epoch ?? 0;
}
