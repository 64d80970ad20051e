/**
 * A city as a hub sees it, played through the hub's real API by the rules of the contract: it obeys the grants of its
 * session, lets replicas become ready, reports, and beats. Nothing of the operator's own agent is used.
 */
import type { CityReportBody, ClaimStatus } from '../../crds/city-report.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { CITY_OBJECTS, cityNamespace, REGION_ANNOTATIONS, REGION_LABELS } from '../../crds/region.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { resourcePath, resources } from '../../operator/kube/resources.ts';
import { type Grant, judgeGrant } from '../../operator/plan/failover/claim.ts';

interface Held {
  grant: Grant;
  running: number;
  ready: number;
}

export interface CityOptions {
  readonly gpus?: number;
  readonly address?: string;
  /** Of every service; by default a path at the address. */
  readonly url?: string;
  /** Identity of the cluster that plays. */
  readonly holder?: string;
  readonly cpus?: number;
}

const STEP_MS = 150;

export class PlayedCity {
  readonly name: string;
  readonly held = new Map<string, Held>();
  readonly #client: KubeClient;
  readonly #options: CityOptions;
  session: string;
  #sequence = 0;
  #told = '';
  #beatAt = 0;
  #isGoing = false;
  #running: Promise<void> = Promise.resolve();
  /** What it says that it sees of others. */
  views: Record<string, boolean> = {};
  /** Replicas start, and do not become ready. */
  isUnfit = false;
  /** Said of replicas that are not ready. */
  complaint: Pick<ClaimStatus, 'reason' | 'message'> = {};
  /** Of every service. */
  load: Pick<ClaimStatus, 'busyPercent' | 'queueTimeMilliseconds' | 'requestsPerSecond'> = {};
  needed = 0;
  /** Grants are not obeyed: the agent is slow. */
  isDeaf = false;

  constructor(client: KubeClient, name: string, options: CityOptions = {}) {
    this.#client = client;
    this.#options = options;
    this.name = name;
    this.session = `${name}-1`;
  }

  get namespace(): string {
    return cityNamespace(this.name);
  }

  /** Joins: goes on until `goSilent`. */
  start(): void {
    if (this.#isGoing) return;
    this.#isGoing = true;
    this.#running = (async () => {
      while (this.#isGoing) {
        await this.#step().catch(() => {});
        await new Promise((later) => setTimeout(later, STEP_MS));
      }
    })();
  }

  /** Cut off, or dead: nothing is said any more. What it holds it holds. */
  async goSilent(): Promise<void> {
    this.#isGoing = false;
    await this.#running;
  }

  /** Back after it was out of touch for so long that nothing of before is obeyed. */
  comeBack(): void {
    this.session = `${this.name}-${Number(this.session.split('-').at(-1)) + 1}`;
    for (const [key, { grant }] of this.held) if (grant.ceiling === 0) this.held.delete(key);
    this.#told = '';
    this.#beatAt = 0;
    this.start();
  }

  readyOf(key: string): number {
    return this.held.get(key)?.ready ?? 0;
  }

  async shares(): Promise<ModelService[]> {
    const { items } = await this.#client.list<ModelService & { metadata: { name: string } }>(
      resources.ModelService,
      { namespace: this.namespace },
    );
    return [...items];
  }

  async #step(): Promise<void> {
    for (const share of await this.shares()) if (!this.isDeaf) this.#consider(share);
    for (const held of this.held.values()) {
      held.running = Math.min(held.grant.ceiling, Math.max(held.grant.floor, this.needed));
      held.ready = this.isUnfit ? Math.min(held.ready, held.running) : held.running;
    }
    const content = JSON.stringify(this.#content());
    if (content !== this.#told) {
      await this.#report();
      this.#told = content;
      await this.#beat();
    } else if (Date.now() - this.#beatAt > 2_000) await this.#beat();
  }

  #consider({ metadata: { labels = {}, annotations = {} } }: ModelService): void {
    const key = `${labels[REGION_LABELS.serviceNamespace]}/${labels[REGION_LABELS.serviceName]}`;
    const grant = JSON.parse(annotations[REGION_ANNOTATIONS.grant] ?? 'null') as Grant | null;
    const before = this.held.get(key);
    if (!grant || judgeGrant(before?.grant.epoch ?? 0, grant, this.session) !== 'Obey') return;
    this.held.set(key, { running: 0, ready: 0, ...before, grant });
  }

  #content(): Omit<CityReportBody, 'session' | 'sequence'> & { session: string } {
    const { gpus = 8, cpus = 64, address, url } = this.#options;
    const used = [...this.held.values()].reduce((sum, { running }) => sum + running, 0);
    const capacity = [
      { resource: 'nvidia.com/gpu', total: gpus, forShares: gpus, used },
      { resource: 'cpu', total: cpus, forShares: cpus, used: 0 },
      { resource: 'memory', total: 2 ** 38, forShares: 2 ** 38, used: 0 },
    ];
    const claims = Object.fromEntries(
      [...this.held].map(([key, { grant, running, ready }]): [string, ClaimStatus] => [
        key,
        {
          epoch: grant.epoch,
          floor: grant.floor,
          ceiling: grant.ceiling,
          running,
          ready,
          needed: this.needed,
          ...(ready > 0 ? { version: '3', ...this.load } : {}),
          ...(ready < running ? this.complaint : { reason: 'Serving' }),
          ...(url || address ? { url: url ?? `${address}/${key}` } : {}),
        },
      ]),
    );
    return { session: this.session, capacity, claims, ...(address ? { address } : {}) };
  }

  async #report(): Promise<void> {
    this.#sequence++;
    const { claims = {}, ...rest } = this.#content();
    const at = { namespace: this.namespace, name: CITY_OBJECTS.report };
    // What is not held any more has to be removed by name.
    const gone = Object.fromEntries(this.#toldKeys().map((key) => [key, null]));
    await this.#patch(resourcePath(resources.CityReport, at), {
      report: { ...rest, sequence: this.#sequence, claims: { ...gone, ...claims } },
    });
  }

  #toldKeys(): string[] {
    return this.#told === '' ? [] : Object.keys(JSON.parse(this.#told).claims);
  }

  async #beat(): Promise<void> {
    const at = { namespace: this.namespace, name: CITY_OBJECTS.lease };
    const views = Object.fromEntries(
      Object.entries(this.views).map(([city, sees]) => [city, { sees, ageSeconds: 0 }]),
    );
    await this.#patch(resourcePath(resources.Lease, at), {
      metadata: {
        annotations: {
          [REGION_ANNOTATIONS.session]: this.session,
          [REGION_ANNOTATIONS.sequence]: String(this.#sequence),
          [REGION_ANNOTATIONS.views]: JSON.stringify(views),
        },
      },
      spec: {
        holderIdentity: this.#options.holder ?? this.name,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    });
    this.#beatAt = Date.now();
  }

  async #patch(path: string, body: object): Promise<void> {
    await this.#client.request({
      method: 'PATCH',
      path,
      query: { fieldManager: 'city' },
      contentType: 'application/merge-patch+json',
      body,
    });
  }
}
