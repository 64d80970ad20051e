/**
 * Every metric of the operator, once: the registry and the reference in the docs are made from this list.
 * Labels have few values by construction: kinds, controllers, outcomes and cities, never names of objects.
 */

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[];
}

const define = <const D extends MetricDefinition>(definition: D): D => definition;

export const metricList = {
  reconciles: define({
    name: 'aicity_reconcile_total',
    type: 'counter',
    help: 'Reconciles finished, by controller and outcome (done, again, retry, conflict, terminal, panic).',
    labels: ['controller', 'outcome'],
  }),
  reconcileSeconds: define({
    name: 'aicity_reconcile_duration_seconds',
    type: 'histogram',
    help: 'Time that one reconcile took.',
    labels: ['controller'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
  }),
  queueDepth: define({
    name: 'aicity_workqueue_depth',
    type: 'gauge',
    help: 'Keys that wait for a reconcile now.',
    labels: ['controller'],
  }),
  queueActive: define({
    name: 'aicity_workqueue_active',
    type: 'gauge',
    help: 'Keys being reconciled now.',
    labels: ['controller'],
  }),
  cachedObjects: define({
    name: 'aicity_cache_objects',
    type: 'gauge',
    help: 'Objects in the local copy of a kind.',
    labels: ['cluster', 'kind'],
  }),
  staleSeconds: define({
    name: 'aicity_cache_stale_seconds',
    type: 'gauge',
    help: 'How long the local copy of a kind may have been behind the API server; 0 while its watch is open.',
    labels: ['cluster', 'kind'],
  }),
  watchRestarts: define({
    name: 'aicity_watch_restarts_total',
    type: 'counter',
    help: 'Watches that ended for another reason than their time limit, by that reason.',
    labels: ['cluster', 'kind', 'reason'],
  }),
  leader: define({
    name: 'aicity_leader',
    type: 'gauge',
    help: '1 in the replica that leads, 0 in the others.',
    labels: [],
  }),
  reportsReceived: define({
    name: 'aicity_reports_received_total',
    type: 'counter',
    help: 'Reports of model servers that were accepted.',
    labels: [],
  }),
  reportsRefused: define({
    name: 'aicity_reports_refused_total',
    type: 'counter',
    help: 'Reports of model servers that were refused, by reason.',
    labels: ['reason'],
  }),
} as const satisfies Record<string, MetricDefinition>;

/** The list as a Markdown table for the docs. */
export function metricReference(): string {
  const rows = Object.values<MetricDefinition>(metricList).map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}
