/**
 * Hundreds of cities in one process, played through the hub's own API by the rules of the contract: one watch brings all
 * shares, what is granted is ready at once, reports carry only what has changed, and every city beats as the hub asks.
 */
import type { CityReportBody, ClaimStatus } from '../../crds/city-report.ts';
import type { ModelService } from '../../crds/model-service.ts';
import {
  CITY_OBJECTS,
  type CityViews,
  cityNamespace,
  REGION_ANNOTATIONS,
  REGION_LABELS,
} from '../../crds/region.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { type Resource, resourcePath, resources } from '../../operator/kube/resources.ts';
import { type Grant, judgeGrant } from '../../operator/plan/failover/claim.ts';

/** As the agent: changes of a moment travel together. */
const REPORT_SOON_MS = 500;
const MOST_WATCH_FAILURES = 20;

export interface ManyCitiesOptions {
  readonly client: KubeClient;
  readonly names: readonly string[];
  readonly gpus: number;
  readonly heartbeatSeconds: number;
}

interface Played {
  readonly name: string;
  readonly claims: Map<string, ClaimStatus>;
  readonly unsaid: Map<string, ClaimStatus>;
  sequence: number;
  isReportDue: boolean;
  isSilent: boolean;
}

export class ManyCities {
  readonly #options: ManyCitiesOptions;
  readonly #cities = new Map<string, Played>();
  readonly #ending = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #watching: Promise<void> | undefined;
  #failure: unknown;
  /** Reports and heartbeats that were answered. */
  messages = 0;

  constructor(options: ManyCitiesOptions) {
    this.#options = options;
    for (const name of options.names) {
      this.#cities.set(name, {
        name,
        claims: new Map(),
        unsaid: new Map(),
        sequence: 0,
        isReportDue: false,
        isSilent: false,
      });
    }
  }

  /** All report, over some seconds, and go on. */
  async start(): Promise<void> {
    this.#watching = this.#watchOn();
    await Promise.all([...this.#cities.values()].map((city) => this.#report(city, this.#whole())));
    const everyMs = this.#options.heartbeatSeconds * 1000;
    [...this.#cities.values()].forEach((city, at) => {
      const firstMs = (everyMs * at) / this.#cities.size;
      this.#later(firstMs, () => {
        const beat = (): void => {
          void this.#beat(city).catch((error: unknown) => this.#fail(error));
          this.#later(everyMs, beat);
        };
        beat();
      });
    });
  }

  /** One city says once more that it is there, and then nothing any more. */
  async lose(name: string): Promise<void> {
    const city = this.#cities.get(name)!;
    await this.#beat(city);
    city.isSilent = true;
  }

  /** Ready replicas in all cities but the silent ones. */
  get ready(): number {
    let ready = 0;
    for (const { claims, isSilent } of this.#cities.values()) {
      if (!isSilent) for (const claim of claims.values()) ready += claim.ready;
    }
    return ready;
  }

  /** @throws what has gone wrong meanwhile */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#watching;
  }

  /** A busy API server ends a watch that it cannot serve any longer; the next one begins with all shares. */
  async #watchOn(): Promise<void> {
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#watch(signal);
      } catch (error) {
        if (++failures > MOST_WATCH_FAILURES) this.#fail(error);
      }
      await new Promise((later) => setTimeout(later, REPORT_SOON_MS));
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const options = {
      labelSelector: REGION_LABELS.city,
      sendInitialEvents: true,
      timeoutSeconds: 3600,
      signal,
    };
    const events = this.#options.client.watch<ModelService & KubeObject>(resources.ModelService, options);
    for await (const { type, object } of events) {
      if (type === 'ADDED' || type === 'MODIFIED') this.#consider(object);
    }
  }

  #consider({ metadata: { labels = {}, annotations = {} } }: ModelService): void {
    const city = this.#cities.get(labels[REGION_LABELS.city] ?? '');
    const grant = JSON.parse(annotations[REGION_ANNOTATIONS.grant] ?? 'null') as Grant | null;
    if (!city || city.isSilent || !grant) return;
    const key = `${labels[REGION_LABELS.serviceNamespace]}/${labels[REGION_LABELS.serviceName]}`;
    if (judgeGrant(city.claims.get(key)?.epoch ?? 0, grant, sessionOf(city)) !== 'Obey') return;
    const { epoch, floor, ceiling } = grant;
    const claim = { epoch, floor, ceiling, running: floor, ready: floor, needed: 0, reason: 'Serving' };
    city.claims.set(key, claim);
    city.unsaid.set(key, claim);
    if (city.isReportDue) return;
    city.isReportDue = true;
    this.#later(REPORT_SOON_MS, () => {
      city.isReportDue = false;
      void this.#report(city, {}).catch((error: unknown) => this.#fail(error));
    });
  }

  #whole(): Partial<CityReportBody> {
    const { gpus } = this.#options;
    const capacity = (resource: string, total: number) => ({ resource, total, forShares: total, used: 0 });
    return {
      operatorVersion: 'bench',
      kubernetesVersion: 'v1.37.2',
      capacity: [
        capacity('nvidia.com/gpu', gpus),
        capacity('cpu', 10 * gpus),
        capacity('memory', 2 ** 34 * gpus),
      ],
    };
  }

  async #report(city: Played, more: Partial<CityReportBody>): Promise<void> {
    if (city.isSilent) return;
    const claims = Object.fromEntries(city.unsaid);
    city.unsaid.clear();
    city.sequence++;
    const report = { ...more, session: sessionOf(city), sequence: city.sequence, claims };
    await this.#patch(resources.CityReport, city, CITY_OBJECTS.report, { report });
    await this.#beat(city);
  }

  async #beat(city: Played): Promise<void> {
    if (city.isSilent) return;
    await this.#patch(resources.Lease, city, CITY_OBJECTS.lease, {
      metadata: {
        annotations: {
          [REGION_ANNOTATIONS.session]: sessionOf(city),
          [REGION_ANNOTATIONS.sequence]: String(city.sequence),
          [REGION_ANNOTATIONS.views]: JSON.stringify(this.#viewsOf(city)),
        },
      },
      spec: { holderIdentity: city.name, renewTime: new Date().toISOString().replace('Z', '000Z') },
    });
  }

  /** Each city looks at the next one of a ring, as the hub would have it. */
  #viewsOf({ name }: Played): CityViews {
    const names = this.#options.names;
    const next = names[(names.indexOf(name) + 1) % names.length]!;
    return next === name ? {} : { [next]: { sees: !this.#cities.get(next)!.isSilent, ageSeconds: 0 } };
  }

  async #patch(resource: Resource, { name: city }: Played, name: string, body: object): Promise<void> {
    await this.#options.client.request({
      method: 'PATCH',
      path: resourcePath(resource, { namespace: cityNamespace(city), name }),
      query: { fieldManager: 'city' },
      contentType: 'application/merge-patch+json',
      body,
      timeoutSeconds: 120,
    });
    this.messages++;
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#ending.signal.aborted) work();
    }, ms);
    this.#timers.add(timer);
  }

  #fail(error: unknown): void {
    if (!this.#ending.signal.aborted) this.#failure ??= error;
  }
}

/** Of its whole life: nothing is ever out of touch here. */
function sessionOf({ name }: Played): string {
  return `${name}-1`;
}
