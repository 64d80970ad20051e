/** The status of a service that is to be placed over cities, in a cluster that is no hub. */
import type { ServiceCondition } from '../../crds/conditions.ts';
import type { ModelService, ModelServiceStatus } from '../../crds/model-service.ts';

const MESSAGE =
  'spec.placement needs a hub, and this cluster is none: remove it to serve here, or install the operator with hub.enabled';

/** Figures stay as they were seen last; they are not looked after any more. */
export function withoutHub({ metadata, status }: ModelService, now: Date): ModelServiceStatus {
  const { conditions = [], ...figures } = status ?? {};
  const condition = (
    type: ServiceCondition['type'],
    value: 'True' | 'False',
    reason: ServiceCondition['reason'],
    message: string,
  ): ServiceCondition => {
    const before = conditions.find((one) => one.type === type);
    return {
      type,
      status: value,
      reason,
      message,
      observedGeneration: metadata.generation,
      lastTransitionTime:
        before?.status === value ? before.lastTransitionTime : `${now.toISOString().slice(0, 19)}Z`,
    };
  };
  return {
    ...figures,
    observedGeneration: metadata.generation,
    conditions: [
      condition('Ready', 'False', 'NoHub', MESSAGE),
      condition('Reconciling', 'False', 'UpToDate', 'nothing more can be done without a person'),
      condition('Stalled', 'True', 'NoHub', MESSAGE),
    ],
  };
}
