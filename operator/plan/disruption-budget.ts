import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { child } from './child.ts';
import type { DesiredObject } from './target.ts';

/**
 * Lets a node drain take one replica at a time. With a single replica it would block the drain for ever, so there is
 * none. Replicas that are not ready protect nothing and may always be evicted.
 *
 * @param replicas how many are guaranteed
 */
export function disruptionBudget(service: ModelService, replicas: number): DesiredObject | undefined {
  if (replicas < 2) return undefined;
  return child(service, 'PodDisruptionBudget', {
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(service.metadata.name) },
    },
  });
}
