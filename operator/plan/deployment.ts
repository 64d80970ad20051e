import { ANNOTATIONS, selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { child } from './child.ts';
import type { PodTemplate } from './pod-template.ts';
import type { ReplicaDecision } from './replicas.ts';
import type { RolloutDecision } from './rollout.ts';
import type { DesiredObject } from './target.ts';

/** Old ReplicaSets that are kept; going back is done in the ModelService, so one is enough to look at. */
const REVISION_HISTORY_LIMIT = 1;

/**
 * The Deployment that runs the pods. `spec.replicas` is in it only while `spec.replicas` of the service decides; see
 * `replicas.ts`.
 */
export function deployment(
  service: ModelService,
  template: PodTemplate,
  replicas: ReplicaDecision,
  rollout: RolloutDecision,
): DesiredObject {
  const isSpecs = replicas.decides === 'Spec';
  return child(
    service,
    'Deployment',
    {
      spec: {
        ...(isSpecs ? { replicas: replicas.replicas } : {}),
        paused: rollout.kind === 'Held',
        revisionHistoryLimit: REVISION_HISTORY_LIMIT,
        selector: { matchLabels: selectorLabels(service.metadata.name) },
        strategy: { type: 'RollingUpdate', rollingUpdate: rollout.rollingUpdate },
        template,
      },
    },
    isSpecs ? {} : { [ANNOTATIONS.autoscalingFloor]: String(replicas.floor) },
  );
}
