/** The HorizontalPodAutoscaler that follows from `spec.autoscaling`. */
import type { Autoscaling } from '../../crds/autoscaling.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { child } from './child.ts';
import { childName } from './names.ts';
import type { CustomMetricsOwner } from './observed.ts';
import type { DesiredObject } from './target.ts';

/** Metrics that the operator serves under custom.metrics.k8s.io, one value per pod. */
const CUSTOM_METRICS = {
  /** Share of time in which the engine computes, in percent. */
  load: 'aicity_load',
  queueTime: 'aicity_queue_time_milliseconds',
} as const;

type Metric = Autoscaling['metrics'][number];

/** When a queue time cannot be measured there is no percentage to take over. */
const FALLBACK_PERCENT = 70;

export function autoscaler(
  service: ModelService,
  { maxReplicas, metrics, behavior }: Autoscaling,
  owner: CustomMetricsOwner,
): DesiredObject {
  return child(service, 'HorizontalPodAutoscaler', {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: childName(service, 'Deployment') },
      minReplicas: service.spec.replicas,
      maxReplicas,
      metrics: measurable(metrics, owner).map(metricSpec),
      ...(behavior ? { behavior } : {}),
    },
  });
}

/** True when some of these metrics come from the operator itself. */
export function needsCustomMetrics({ metrics }: Autoscaling): boolean {
  return metrics.some(({ type }) => type === 'Load' || type === 'QueueTime');
}

/** While somebody else serves the group, CPU at the same percentage stands in for what we cannot serve. */
function measurable(metrics: readonly Metric[], owner: CustomMetricsOwner): readonly Metric[] {
  if (owner.kind === 'Ours') return metrics;
  const kept = metrics.filter(({ type }) => type === 'CPU' || type === 'Memory');
  if (kept.some(({ type }) => type === 'CPU') || kept.length === metrics.length) return kept;
  const load = metrics.find(({ type }) => type === 'Load');
  return [{ type: 'CPU', targetPercent: load?.targetPercent ?? FALLBACK_PERCENT }, ...kept];
}

function metricSpec({ type, targetPercent, targetMilliseconds }: Metric): Record<string, unknown> {
  switch (type) {
    case 'Load':
      return perPod(CUSTOM_METRICS.load, targetPercent!);
    case 'QueueTime':
      return perPod(CUSTOM_METRICS.queueTime, targetMilliseconds!);
    case 'CPU':
    case 'Memory':
      return {
        type: 'Resource',
        resource: {
          name: type === 'CPU' ? 'cpu' : 'memory',
          target: { type: 'Utilization', averageUtilization: targetPercent },
        },
      };
  }
}

function perPod(name: string, average: number): Record<string, unknown> {
  return {
    type: 'Pods',
    pods: { metric: { name }, target: { type: 'AverageValue', averageValue: String(average) } },
  };
}
