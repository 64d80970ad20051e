/**
 * Leader election over a Lease: of several replicas one works, the others are ready to take over.
 * The decisions are in `lease-step.ts`.
 */
import type { Logger } from 'pino';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import type { Clock } from './clock.ts';
import { decide, type LeaseSpec, nextSpec, releasedSpec, type SeenLease, see } from './lease-step.ts';
import { noMetrics, type RuntimeMetrics } from './metrics.ts';

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Differs between any two processes, also between two lives of a pod of the same name. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  readonly random?: () => number;
  readonly durations?: LeaseDurations;
}

export interface LeaseDurations {
  /** How long others wait for a silent leader. */
  readonly leaseSeconds: number;
  /** How long a leader tries to renew before it gives up; less than `leaseSeconds`, so that it stops first. */
  readonly renewDeadlineSeconds: number;
  /** Between two attempts. */
  readonly retrySeconds: number;
}

/** The defaults of client-go. */
const defaultDurations: LeaseDurations = {
  leaseSeconds: 15,
  renewDeadlineSeconds: 10,
  retrySeconds: 2,
};
const jitterFactor = 1.2;
const attemptSeconds = 5;

type Lease = KubeObject & { readonly spec: LeaseSpec };

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #durations: LeaseDurations;
  readonly #log: Logger;
  readonly #metrics: RuntimeMetrics;
  #lease: Lease | undefined;
  #seen: SeenLease | undefined;
  /** Monotonic time just before the last successful renewal was sent; undefined while not leading. */
  #renewedAtSeconds: number | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#durations = options.durations ?? defaultDurations;
    this.#log = options.log.child({
      lease: `${options.namespace}/${options.name}`,
      identity: options.identity,
    });
    this.#metrics = options.metrics ?? noMetrics;
  }

  /** True while no other replica can have taken over, even if this process was frozen a moment ago. */
  get isLeader(): boolean {
    return (
      this.#renewedAtSeconds !== undefined &&
      this.#options.clock.monotonicSeconds() < this.#renewedAtSeconds + this.#durations.renewDeadlineSeconds
    );
  }

  /** Who holds the lease, as far as we know; empty when nobody does. */
  get holder(): string {
    return this.#seen?.spec.holderIdentity ?? '';
  }

  /** Resolves true when this replica leads, false when `signal` aborts first. */
  async win(signal: AbortSignal): Promise<boolean> {
    const { clock, random = Math.random } = this.#options;
    while (!signal.aborted) {
      if (await this.#attempt(attemptSeconds, signal)) {
        this.#log.info('leading');
        this.#metrics.leading(true);
        return true;
      }
      await clock.sleep(this.#durations.retrySeconds * (1 + jitterFactor * random()), signal);
    }
    return false;
  }

  /**
   * Renews until leadership is lost (`'lost'`: stop everything at once, another replica may already work) or
   * `signal` aborts (`'stopped'`: the lease is released, so that another replica takes over at once).
   * Abort only after the work has stopped.
   */
  async hold(signal: AbortSignal): Promise<'lost' | 'stopped'> {
    const { clock } = this.#options;
    const { renewDeadlineSeconds, retrySeconds } = this.#durations;
    while (!signal.aborted) {
      await clock.sleep(retrySeconds, signal);
      const leftSeconds = (this.#renewedAtSeconds ?? 0) + renewDeadlineSeconds - clock.monotonicSeconds();
      const renewed =
        leftSeconds > 0 &&
        !signal.aborted &&
        (await this.#attempt(Math.min(attemptSeconds, leftSeconds), signal));
      if (!renewed && !signal.aborted && (!this.isLeader || this.#isTakenByOther())) {
        this.#renewedAtSeconds = undefined;
        this.#metrics.leading(false);
        this.#log.error({ holder: this.holder }, 'leadership lost');
        return 'lost';
      }
    }
    await this.#release();
    return 'stopped';
  }

  #isTakenByOther(): boolean {
    return this.holder !== '' && this.holder !== this.#options.identity;
  }

  /** Tries once to create, take or renew the lease; true when we hold it afterwards. Never throws. */
  async #attempt(timeoutSeconds: number, signal: AbortSignal): Promise<boolean> {
    const { client, identity, clock, namespace, name } = this.#options;
    const sentAtSeconds = clock.monotonicSeconds();
    const call = { timeoutSeconds, signal };
    try {
      // A leader that has just renewed knows the record; if somebody changed it, the write is refused.
      if (this.#renewedAtSeconds === undefined || !this.#lease) await this.#read(call);
      const decision = decide(this.#seen, identity, clock.monotonicSeconds());
      if (decision === 'wait') return false;
      const spec = nextSpec(decision, this.#seen?.spec, identity, this.#durations.leaseSeconds, clock.now());
      const written = this.#lease
        ? await client.replace<Lease>(resources.Lease, { ...this.#lease, spec } as Lease, call)
        : await client.create<Lease>(resources.Lease, { metadata: { namespace, name }, spec } as Lease, call);
      this.#remember(written);
      this.#renewedAtSeconds = sentAtSeconds;
      return true;
    } catch (err) {
      this.#lease = undefined; // read again before the next write
      if (isKubeError(err, 'conflict')) this.#log.debug({ err }, 'another replica wrote the lease first');
      else if (!signal.aborted) this.#log.warn({ err }, 'lease cannot be written');
      return false;
    }
  }

  async #read(call: { timeoutSeconds: number; signal: AbortSignal }): Promise<void> {
    const { client, namespace, name } = this.#options;
    try {
      this.#remember(await client.get<Lease>(resources.Lease, { namespace, name }, call));
    } catch (error) {
      if (!isKubeError(error, 'notFound')) throw error;
      this.#lease = undefined;
      this.#seen = undefined;
    }
  }

  #remember(lease: Lease): void {
    this.#lease = lease;
    this.#seen = see(this.#seen, lease.spec ?? {}, this.#options.clock.monotonicSeconds());
  }

  async #release(): Promise<void> {
    const { client, clock } = this.#options;
    const lease = this.#lease;
    const wasLeader = this.isLeader;
    this.#renewedAtSeconds = undefined;
    this.#metrics.leading(false);
    if (!wasLeader || !lease) return;
    try {
      const spec = releasedSpec(lease.spec, clock.now());
      await client.replace(resources.Lease, { ...lease, spec } as Lease, { timeoutSeconds: attemptSeconds });
      this.#log.info('lease released');
    } catch (err) {
      this.#log.warn({ err }, 'lease cannot be released, it will expire');
    }
  }
}
