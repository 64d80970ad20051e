/**
 * Metric values of pods as `custom.metrics.k8s.io` shows them (MetricValueList of k8s.io/metrics, both versions).
 *
 * Only a fresh report of a replica that serves counts. A pod without a value is what the autoscaler calls a missing
 * one: it assumes the best when it would add pods and the worst when it would remove some, which is what we want for
 * a replica that is silent or still loading. A value of 0 would pull the mean down instead.
 */
import type { ReplicaReport } from '../registry.ts';
import { METRICS_GROUP, type MetricsVersion } from './discovery.ts';
import type { ReportedMetric } from './metrics.ts';

/** A replica's report with what is to be shown beside it. */
export interface Measurement {
  readonly replica: ReplicaReport;
  /** Wall-clock time at which the report arrived. */
  readonly timestamp: Date;
}

export const hasLoad = ({ report }: ReplicaReport): boolean => report.serving !== undefined;

export function metricValueList(
  version: MetricsVersion,
  metric: ReportedMetric,
  measurements: readonly Measurement[],
) {
  const items = measurements.map((measurement) =>
    version === 'v1beta1' ? valueV1beta1(metric, measurement) : valueV1beta2(metric, measurement),
  );
  return {
    kind: 'MetricValueList',
    apiVersion: `${METRICS_GROUP}/${version}`,
    metadata: {},
    items,
  };
}

function valueV1beta1(metric: ReportedMetric, measurement: Measurement) {
  const { window, ...common } = commonOf(metric, measurement);
  return { ...common, metricName: metric.name, window, selector: null };
}

function valueV1beta2(metric: ReportedMetric, measurement: Measurement) {
  const { window, ...common } = commonOf(metric, measurement);
  return { ...common, metric: { name: metric.name, selector: null }, windowSeconds: window };
}

function commonOf(metric: ReportedMetric, { replica, timestamp }: Measurement) {
  const { pod, report } = replica;
  return {
    describedObject: { kind: 'Pod', namespace: pod.namespace, name: pod.name, apiVersion: 'v1' },
    timestamp: `${timestamp.toISOString().slice(0, 19)}Z`,
    window: Math.max(1, Math.round(report.load.windowSeconds)),
    value: `${metric.milliValue(report.load)}m`,
  };
}
