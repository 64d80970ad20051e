import { expect, test } from '@jest/globals';
import {
  type MetricDefinition,
  metricList,
  metricReference,
  processMetricList,
} from '../../../operator/telemetry/metric-list.ts';
import { Metrics } from '../../../operator/telemetry/metrics.ts';

test('the registry holds what the list declares, no more and no less', () => {
  const { registry } = new Metrics();
  const registered = registry.getMetricsAsArray().map(({ name, type, help }) => ({ name, type, help }));
  const declared = Object.values<MetricDefinition>(metricList).map(({ name, type, help }) => ({
    name,
    type,
    help,
  }));
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
  expect(registered.sort(byName)).toEqual(declared.sort(byName));
});

test('names and labels follow the conventions of Prometheus', () => {
  for (const { name, type, labels } of Object.values<MetricDefinition>(metricList)) {
    expect(name).toMatch(/^aicity_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    for (const label of labels)
      expect(['controller', 'outcome', 'cluster', 'kind', 'reason', 'state']).toContain(label);
  }
});

test('a controller has all of its series from the start, and its queue is read when scraped', async () => {
  const metrics = new Metrics();
  const queue = { depth: 0, active: 0 };
  metrics.controllerStarted('city', queue);
  queue.depth = 7;
  metrics.reconciled('city', 'panic', 0.3);
  const text = await metrics.registry.metrics();
  expect(text).toContain('aicity_reconcile_total{controller="city",outcome="panic"} 1');
  expect(text).toContain('aicity_reconcile_total{controller="city",outcome="conflict"} 0');
  expect(text).toContain('aicity_reconcile_duration_seconds_bucket{le="0.5",controller="city"} 1');
  expect(text).toContain('aicity_reconcile_duration_seconds_bucket{le="0.25",controller="city"} 0');
  expect(text).toContain('aicity_workqueue_depth{controller="city"} 7');
});

test('local copies, leadership and reports', async () => {
  const metrics = new Metrics();
  const pods = { cluster: 'porto', kind: 'Pod' };
  metrics.reflectorStarted(pods, { size: 12, staleSeconds: () => 3.5 });
  metrics.watchRestarted(pods, 'Expired');
  metrics.leading(true);
  metrics.reportReceived();
  metrics.reportRefused('WrongPod');
  const text = await metrics.registry.metrics();
  for (const line of [
    'aicity_cache_objects{cluster="porto",kind="Pod"} 12',
    'aicity_cache_stale_seconds{cluster="porto",kind="Pod"} 3.5',
    'aicity_watch_restarts_total{cluster="porto",kind="Pod",reason="Expired"} 1',
    'aicity_leader 1',
    'aicity_reports_received_total 1',
    'aicity_reports_refused_total{reason="WrongPod"} 1',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  metrics.leading(false);
  expect(await metrics.registry.metrics()).toContain('aicity_leader 0\n');
});

test('the process shows what it costs, and counts its processor time once', async () => {
  const metrics = new Metrics();
  metrics.includeProcess();
  const read = async () => {
    const text = await metrics.registry.metrics();
    return (name: string) => Number(text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1]);
  };
  await read();
  const shown = await read();
  const { user, system } = process.cpuUsage();
  expect(shown('process_cpu_seconds_total')).toBeGreaterThan(0);
  // Counted in parts, whose sum may differ in its last bit.
  expect(shown('process_cpu_seconds_total')).toBeLessThanOrEqual((user + system) / 1e6 + 1e-9);
  expect(shown('process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
  expect(shown('process_resident_memory_bytes')).toBeGreaterThan(shown('nodejs_heap_size_used_bytes') / 2);
  expect(shown('process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000);
  expect(shown('nodejs_eventloop_utilization')).toBeGreaterThanOrEqual(0);
  expect(shown('nodejs_eventloop_utilization')).toBeLessThanOrEqual(1);
  const names = metrics.registry.getMetricsAsArray().map(({ name }) => name);
  for (const { name } of Object.values(processMetricList)) expect(names).toContain(name);
});

test('the reference has a row for every metric', () => {
  const rows = metricReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows).toHaveLength(Object.keys({ ...metricList, ...processMetricList }).length);
  expect(rows[0]).toMatch(/^\| `aicity_reconcile_total` \| counter \| `controller`, `outcome` \| .+ \|$/);
});
