/**
 * The operator's metrics as Prometheus reads them. `metric-list.ts` says what there is.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { HUB_CONNECTIONS, type HubConnection } from '../plan/agent/connection.ts';
import type { AgentMetrics, GrantJudgement, HubMessage } from '../reconcile/agent/metrics.ts';
import {
  type ReconcileOutcome,
  type RuntimeMetrics,
  reconcileOutcomes,
  type Watched,
} from '../runtime/metrics.ts';
import { type MetricDefinition, metricList } from './metric-list.ts';
import { registerProcessMetrics } from './process-metrics.ts';

/** What the part that receives the pods' reports counts. */
export interface ReportMetrics {
  reportReceived(): void;
  /** @param reason one of a closed list, since it becomes a label */
  reportRefused(reason: string): void;
}

type Queue = Parameters<RuntimeMetrics['controllerStarted']>[1];
type View = Parameters<RuntimeMetrics['reflectorStarted']>[1];

export class Metrics implements RuntimeMetrics, ReportMetrics, AgentMetrics {
  readonly registry = new Registry();
  readonly #queues = new Map<string, Queue>();
  readonly #views = new Map<Watched, View>();
  readonly #reconciles = this.#counter(metricList.reconciles);
  readonly #reconcileSeconds = new Histogram({
    ...inRegistry(metricList.reconcileSeconds, this.registry),
    buckets: [...metricList.reconcileSeconds.buckets],
  });
  readonly #watchRestarts = this.#counter(metricList.watchRestarts);
  readonly #leader = this.#gauge(metricList.leader);
  readonly #reportsReceived = this.#counter(metricList.reportsReceived);
  readonly #reportsRefused = this.#counter(metricList.reportsRefused);
  readonly #hubConnection = this.#gauge(metricList.hubConnection);
  readonly #hubMessages = this.#counter(metricList.hubMessages);
  readonly #hubSessions = this.#counter(metricList.hubSessions);
  readonly #hubGrants = this.#counter(metricList.hubGrants);

  constructor() {
    // Read when scraped, so that no code has to keep them up to date.
    this.#gauge(metricList.queueDepth, (gauge) => {
      for (const [controller, { depth }] of this.#queues) gauge.set({ controller }, depth);
    });
    this.#gauge(metricList.queueActive, (gauge) => {
      for (const [controller, { active }] of this.#queues) gauge.set({ controller }, active);
    });
    this.#gauge(metricList.cachedObjects, (gauge) => {
      for (const [{ cluster, kind }, { size }] of this.#views) gauge.set({ cluster, kind }, size);
    });
    this.#gauge(metricList.staleSeconds, (gauge) => {
      for (const [{ cluster, kind }, view] of this.#views) gauge.set({ cluster, kind }, view.staleSeconds());
    });
    this.#leader.set(0);
  }

  /** Adds what the process costs; once per process. */
  includeProcess(): void {
    registerProcessMetrics(this.registry);
  }

  controllerStarted(controller: string, queue: Queue): void {
    this.#queues.set(controller, queue);
    for (const outcome of reconcileOutcomes) this.#reconciles.inc({ controller, outcome }, 0);
  }

  reconciled(controller: string, outcome: ReconcileOutcome, seconds: number): void {
    this.#reconciles.inc({ controller, outcome });
    this.#reconcileSeconds.observe({ controller }, seconds);
  }

  reflectorStarted(reflector: Watched, view: View): void {
    this.#views.set(reflector, view);
  }

  watchRestarted({ cluster, kind }: Watched, reason: string): void {
    this.#watchRestarts.inc({ cluster, kind, reason });
  }

  leading(leader: boolean): void {
    this.#leader.set(leader ? 1 : 0);
  }

  reportReceived(): void {
    this.#reportsReceived.inc();
  }

  reportRefused(reason: string): void {
    this.#reportsRefused.inc({ reason });
  }

  /** Called when an agent begins: an operator that is no city has no such series. */
  hubConnection(connection: HubConnection): void {
    for (const state of Object.keys(HUB_CONNECTIONS)) {
      this.#hubConnection.set({ state }, state === connection ? 1 : 0);
    }
  }

  hubMessage(kind: HubMessage): void {
    this.#hubMessages.inc({ kind });
  }

  sessionBegun(): void {
    this.#hubSessions.inc();
  }

  grantJudged(outcome: GrantJudgement): void {
    this.#hubGrants.inc({ outcome });
  }

  #counter(definition: MetricDefinition): Counter {
    return new Counter(inRegistry(definition, this.registry));
  }

  #gauge(definition: MetricDefinition, read?: (gauge: Gauge) => void): Gauge {
    return new Gauge({
      ...inRegistry(definition, this.registry),
      ...(read && {
        collect(this: Gauge) {
          this.reset();
          read(this);
        },
      }),
    });
  }
}

function inRegistry({ name, help, labels }: MetricDefinition, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] };
}
