/**
 * Metrics of whole services on a hub, for an autoscaler whose target is the ModelService itself (`type: Object`): what
 * its replicas in all cities report, added up. A sum, since an autoscaler there can only divide by the number of
 * replicas (`averageValue`): the pods are in other clusters, and it cannot count those that are ready.
 */
import { METRICS_GROUP, type MetricsVersion } from './discovery.ts';

/** The name of the resource in paths and permissions: custom metrics name the group, too. */
export const SERVICE_RESOURCE = 'modelservices.aicity.io';

/** What is known of a service over all its cities; means over its replicas. */
export interface ServiceLoad {
  readonly busyPercent: number;
  readonly queueTimeMilliseconds: number;
  readonly replicas: number;
}

/** @returns undefined for a service that is not there or of which nothing is known */
export type ServiceLoadLookup = (namespace: string, name: string) => ServiceLoad | undefined;

const SUMS: Readonly<Record<string, (load: ServiceLoad) => number>> = {
  aicity_load: ({ busyPercent, replicas }) => busyPercent * replicas,
  aicity_queue_time_milliseconds: ({ queueTimeMilliseconds, replicas }) => queueTimeMilliseconds * replicas,
};

export interface ServiceMetric {
  readonly version: MetricsVersion;
  readonly namespace: string;
  readonly name: string;
  readonly metric: string;
}

/** A MetricValueList with one value; undefined for a metric that is not offered. */
export function serviceMetricList(
  { version, namespace, name, metric }: ServiceMetric,
  load: ServiceLoad,
  now: Date,
): object | undefined {
  const sum = SUMS[metric]?.(load);
  if (sum === undefined) return undefined;
  const common = {
    describedObject: { kind: 'ModelService', namespace, name, apiVersion: 'aicity.io/v1alpha1' },
    timestamp: `${now.toISOString().slice(0, 19)}Z`,
    value: `${Math.round(sum * 1000)}m`,
  };
  const item =
    version === 'v1beta1'
      ? { ...common, metricName: metric, selector: null }
      : { ...common, metric: { name: metric, selector: null } };
  return {
    kind: 'MetricValueList',
    apiVersion: `${METRICS_GROUP}/${version}`,
    metadata: {},
    items: [item],
  };
}
