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
  hubConnection: define({
    name: 'aicity_hub_connection',
    type: 'gauge',
    help: 'In the leader of a city: 1 for how it stands with the hub (Connecting, Connected, Refused, NotJoined, Displaced, Unreachable), 0 for the others.',
    labels: ['state'],
  }),
  hubMessages: define({
    name: 'aicity_hub_messages_total',
    type: 'counter',
    help: 'Messages of a city to its hub that were answered: report, heartbeat, and look where it had to be read what the hub holds.',
    labels: ['kind'],
  }),
  hubSessions: define({
    name: 'aicity_hub_sessions_total',
    type: 'counter',
    help: 'Times that a city began a new session because it had been out of touch with its hub.',
    labels: [],
  }),
  hubGrants: define({
    name: 'aicity_hub_grants_total',
    type: 'counter',
    help: 'Grants of the hub that a city has judged, by outcome: obeyed, or fenced since they were decided before the city was out of touch.',
    labels: ['outcome'],
  }),
} as const satisfies Record<string, MetricDefinition>;

/** About the process itself, under the names that dashboards for any program expect. */
export const processMetricList = {
  cpu: define({
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'Processor time used, by the process and by the kernel for it.',
    labels: [],
  }),
  start: define({
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the process started, in seconds since 1970.',
    labels: [],
  }),
  memory: define({
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Memory that the process occupies.',
    labels: [],
  }),
  heap: define({
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    help: 'The part of the memory that JavaScript objects fill.',
    labels: [],
  }),
  eventLoop: define({
    name: 'nodejs_eventloop_utilization',
    type: 'gauge',
    help: 'Busy share of the event loop since the metrics were read last, from 0 to 1.',
    labels: [],
  }),
} as const satisfies Record<string, MetricDefinition>;

/** Both lists as a page for the docs. */
export function metricReference(): string {
  const rows = [metricList, processMetricList].flatMap((list) =>
    Object.values<MetricDefinition>(list).map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    ),
  );
  return [
    '# Metrics of the operator',
    '',
    'Served in the format of Prometheus at `/metrics`. Generated by `npm run generate`.',
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
