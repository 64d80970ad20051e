/**
 * Speaks to the hub: one merge patch of the CityReport when something has changed, one of the Lease to say that it is
 * valid and that the city is there. What the hub holds is read once, and again whenever that is in doubt.
 */
import type { CityReport, CityReportBody } from '../../../crds/city-report.ts';
import { CITY_OBJECTS, type CityViews, cityNamespace } from '../../../crds/region.ts';
import { isKubeError, type KubeClient, KubeError } from '../../kube/client.ts';
import { type Resource, resourcePath, resources } from '../../kube/resources.ts';
import {
  contenderPatch,
  type HeartbeatLease,
  heartbeatPatch,
  hubAnswer,
} from '../../plan/agent/heartbeat.ts';
import { isGone, type OtherHolder, otherHolder } from '../../plan/agent/holder.ts';
import { changeOf, type ReportContent, type Urgency } from '../../plan/agent/report.ts';
import type { Rhythm } from '../../plan/failover/rhythm.ts';
import type { Clock } from '../../runtime/clock.ts';
import { microTime } from '../../runtime/micro-time.ts';
import type { AgentMetrics } from './metrics.ts';

/** Another cluster speaks under the name of this city. */
export class DisplacedError extends Error {
  override readonly name = 'DisplacedError';
  /** In which the hub has told the holder to speak; it has not answered us yet. */
  readonly rhythm: Rhythm;

  constructor(message: string, rhythm: Rhythm) {
    super(message);
    this.rhythm = rhythm;
  }
}

export interface HubVoiceOptions {
  /** To the hub. */
  readonly client: KubeClient;
  readonly city: string;
  /** Of this installation. */
  readonly identity: string;
  readonly clock: Clock;
  readonly nowMs: () => number;
  readonly rhythm: () => Rhythm;
  readonly metrics: AgentMetrics;
}

/** What the hub holds, as far as it was written or read here. */
interface Held {
  readonly content: ReportContent;
  readonly session: string;
  readonly sequence: number;
  readonly resourceVersion: string | undefined;
}

export class HubVoice {
  readonly #options: HubVoiceOptions;
  #held: Held | undefined;
  #lease: { readonly version: string | undefined } | undefined;
  #other: OtherHolder | undefined;
  #contendedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HubVoiceOptions) {
    this.#options = options;
  }

  /** How urgent it is to tell the hub. */
  urgencyOf(session: string, content: ReportContent): Urgency {
    if (!this.#held || this.#held.session !== session) return 'Urgent';
    return changeOf(this.#held.content, content).urgency;
  }

  /**
   * Makes sure that this installation is the one that speaks for the city.
   *
   * @throws DisplacedError, KubeError
   */
  async claim(signal: AbortSignal): Promise<void> {
    if (this.#lease) return;
    const { identity, nowMs, metrics } = this.#options;
    const lease = await this.#get<HeartbeatLease>(resources.Lease, CITY_OBJECTS.lease, signal);
    metrics.hubMessage('look');
    this.#other = otherHolder(this.#other, lease, identity, nowMs());
    const { rhythm } = hubAnswer(lease);
    if (this.#other && !isGone(this.#other, nowMs(), rhythm)) {
      await this.#contend(rhythm, signal);
      throw new DisplacedError(
        `cluster ${this.#other.identity} holds the heartbeat of city ${this.#options.city}`,
        rhythm,
      );
    }
    this.#lease = { version: lease.metadata.resourceVersion };
  }

  /**
   * Says who would have the name: once in a heartbeat, since the holder has to look again after each. Nothing depends
   * on it.
   */
  async #contend({ heartbeatMs }: Rhythm, signal: AbortSignal): Promise<void> {
    const { clock, identity, nowMs } = this.#options;
    if (nowMs() - this.#contendedAtMs < heartbeatMs) return;
    this.#contendedAtMs = nowMs();
    const body = contenderPatch(identity, microTime(clock.now()));
    await this.#patch(resources.Lease, CITY_OBJECTS.lease, body, signal).catch(() => {});
  }

  /**
   * Tells what has changed.
   *
   * @throws KubeError
   */
  async report(session: string, content: ReportContent, signal: AbortSignal): Promise<void> {
    this.#held ??= await this.#readReport(signal);
    const held = this.#held;
    const { patch } = changeOf(held.content, content);
    const sequence = held.sequence + 1;
    const body = {
      metadata: { resourceVersion: held.resourceVersion },
      report: { ...patch, session, sequence },
    };
    // Until it is answered nobody knows what the hub holds.
    this.#held = undefined;
    const written = await this.#patch<CityReport>(resources.CityReport, CITY_OBJECTS.report, body, signal);
    this.#options.metrics.hubMessage('report');
    this.#held = { content, session, sequence, resourceVersion: written.metadata.resourceVersion };
  }

  /**
   * Says that the city is there and which report is valid.
   *
   * @returns the hub's answer; undefined when the Lease has changed meanwhile, and is to be claimed again
   * @throws KubeError
   */
  async beat(views: CityViews, signal: AbortSignal): Promise<HeartbeatLease | undefined> {
    const { clock, identity, metrics } = this.#options;
    const { session, sequence } = this.#held!;
    const beat = { identity, renewTime: microTime(clock.now()), session, sequence, views };
    const body = heartbeatPatch(beat, this.#lease?.version);
    this.#lease = undefined;
    try {
      const lease = await this.#patch<HeartbeatLease>(resources.Lease, CITY_OBJECTS.lease, body, signal);
      metrics.hubMessage('heartbeat');
      this.#lease = { version: lease.metadata.resourceVersion };
      return lease;
    } catch (error) {
      if (isKubeError(error, 'conflict')) return undefined;
      throw error;
    }
  }

  async #readReport(signal: AbortSignal): Promise<Held> {
    const { report, metadata } = await this.#get<CityReport>(
      resources.CityReport,
      CITY_OBJECTS.report,
      signal,
    );
    this.#options.metrics.hubMessage('look');
    const { session = '', sequence = 0, ...content }: Partial<CityReportBody> = report ?? {};
    return { content, session, sequence, resourceVersion: metadata.resourceVersion };
  }

  #get<T extends { metadata: { resourceVersion?: string } }>(
    resource: Resource,
    name: string,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#options.client.request<T>({
      method: 'GET',
      path: this.#path(resource, name),
      timeoutSeconds: this.#timeoutSeconds(),
      signal,
    });
  }

  #patch<T>(resource: Resource, name: string, body: object, signal: AbortSignal): Promise<T> {
    return this.#options.client.request<T>({
      method: 'PATCH',
      path: this.#path(resource, name),
      contentType: 'application/merge-patch+json',
      body,
      timeoutSeconds: this.#timeoutSeconds(),
      signal,
    });
  }

  #path(resource: Resource, name: string): string {
    return resourcePath(resource, { namespace: cityNamespace(this.#options.city), name });
  }

  /** What is not answered is to be said again well before the next heartbeat. */
  #timeoutSeconds(): number {
    return Math.max(SHORTEST_TIMEOUT_SECONDS, this.#options.rhythm().heartbeatMs / 4000);
  }
}

const SHORTEST_TIMEOUT_SECONDS = 2;

export function failureOf(error: unknown): KubeError | DisplacedError {
  if (error instanceof DisplacedError || error instanceof KubeError) return error;
  return new KubeError({ kind: 'retry', status: 0, reason: 'Unknown', message: String(error), cause: error });
}
