/** How many replicas the present load would need, whatever the bounds: the formula of the HorizontalPodAutoscaler. */
import type { Autoscaling } from '../../../crds/autoscaling.ts';
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import type { Autoscaler } from '../cluster-objects.ts';

/** A load so near to its target asks for no other number; the default of Kubernetes. */
const TOLERANCE = 0.1;

/** What a share without autoscaling is measured by, so that the hub sees where headroom would be of use. */
const DEFAULT_METRICS: Autoscaling['metrics'] = [{ type: 'Load', targetPercent: 70 }];

/**
 * `⌈replicas × load ÷ target⌉`, the highest over all metrics that are reported. Where processor or memory decide, the
 * autoscaler of the city knows better and is believed, as far as its own bounds let it say.
 *
 * @param ready replicas that answer, whose load it is
 */
export function neededReplicas(
  ready: number,
  load: ModelServiceStatus['load'],
  autoscaling: Autoscaling | undefined,
  autoscaler: Autoscaler | undefined,
): number {
  const { metrics = DEFAULT_METRICS } = autoscaling ?? {};
  return Math.max(0, ...metrics.map((metric) => askedBy(metric, ready, load, autoscaler)));
}

function askedBy(
  { type, targetPercent = 0, targetMilliseconds = 0 }: Autoscaling['metrics'][number],
  ready: number,
  load: ModelServiceStatus['load'],
  autoscaler: Autoscaler | undefined,
): number {
  switch (type) {
    case 'Load':
      return scaled(ready, load?.busyPercent, targetPercent);
    case 'QueueTime':
      return scaled(ready, load?.queueTimeMilliseconds, targetMilliseconds);
    case 'CPU':
    case 'Memory':
      return autoscaler?.status?.desiredReplicas ?? 0;
  }
}

function scaled(replicas: number, value: number | undefined, target: number): number {
  if (value === undefined || target === 0) return 0;
  const ratio = value / target;
  return Math.abs(ratio - 1) <= TOLERANCE ? replicas : Math.ceil(replicas * ratio);
}
