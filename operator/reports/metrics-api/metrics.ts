/** The metrics that an autoscaler can ask for, and what they are in a report. */
import type { LoadReport } from '../../../crds/load-report.ts';

export interface ReportedMetric {
  readonly name: string;
  /** In thousandths of the metric's unit, so that a Kubernetes quantity says it exactly. */
  milliValue(load: LoadReport['load']): number;
}

export const REPORTED_METRICS: readonly ReportedMetric[] = [
  // Percent of the time in which the engine computes.
  { name: 'aicity_load', milliValue: ({ busyShare }) => Math.round(busyShare * 100 * 1000) },
  {
    name: 'aicity_queue_time_milliseconds',
    milliValue: ({ queueTimeMilliseconds }) => Math.round(queueTimeMilliseconds * 1000),
  },
];

export const reportedMetric = (name: string): ReportedMetric | undefined =>
  REPORTED_METRICS.find((metric) => metric.name === name);
