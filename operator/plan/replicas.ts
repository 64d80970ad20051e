/**
 * Who decides the number of replicas. Exactly one does: `spec.replicas`, or the autoscaler between it and its ceiling.
 *
 * Two field managers of the Deployment stand for the two. While `spec.replicas` decides, the operator applies the
 * field. While the autoscaler decides, the operator applies the Deployment without it. An annotation, written in the
 * same apply, says which of the two it was, and remembers the floor that the autoscaler had.
 *
 *   annotation | autoscaling | spec.replicas  | then
 *   -----------+-------------+----------------+-------------------------------------------------------
 *   none       | off         | any            | spec decides
 *   none       | on          | any            | hand over with the present number, the autoscaler decides
 *   floor      | on          | any            | the autoscaler decides, the annotation follows the floor
 *   any        | on          | > live         | hand over with the floor: it is guaranteed, and no autoscaler leaves 0
 *   floor      | off         | = floor        | held: the last number stays
 *   floor      | off         | = floor = live | spec decides: no number changes by it
 *   floor      | off         | another        | spec decides: somebody has edited it
 *
 * In a service that comes from a hub nothing is held: its spec always decides.
 */
import { ANNOTATIONS } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { REGION_LABELS } from '../../crds/region.ts';
import type { Autoscaler, Deployment } from './cluster-objects.ts';
import type { Handover } from './target.ts';

export type ReplicaDecision =
  | {
      readonly decides: 'Spec';
      readonly replicas: number;
      /** Set when the field is taken back unseen by the user: then the number must not have moved meanwhile. */
      readonly onlyAtVersion?: string;
    }
  | {
      readonly decides: 'Autoscaler';
      readonly floor: number;
      readonly replicas: number;
      readonly handover?: Handover;
    }
  | { readonly decides: 'Held'; readonly floor: number; readonly replicas: number };

/**
 * @param deployment as it is, or undefined when it is to be created
 * @param autoscaler of this service, while there is one
 */
export function decideReplicas(
  { metadata, spec }: Pick<ModelService, 'metadata' | 'spec'>,
  deployment: Deployment | undefined,
  autoscaler: Autoscaler | undefined,
): ReplicaDecision {
  if (!deployment) return { decides: 'Spec', replicas: replicasToBeginWith(spec, autoscaler) };
  const { replicas: live = 1 } = deployment.spec ?? {};
  const remembered = deployment.metadata.annotations?.[ANNOTATIONS.autoscalingFloor];
  if (spec.autoscaling) {
    const floor = spec.replicas;
    const replicas = Math.max(live, floor);
    const isSettled = remembered !== undefined && live >= floor;
    const handover = isSettled ? {} : { handover: handoverOf(deployment, replicas) };
    return { decides: 'Autoscaler', floor, replicas, ...handover };
  }
  // A hub means every number that it writes, and no city may run more than it was granted.
  const isFromHub = REGION_LABELS.fromHub in (metadata.labels ?? {});
  if (isFromHub || remembered === undefined || remembered !== String(spec.replicas)) {
    return { decides: 'Spec', replicas: spec.replicas };
  }
  const { resourceVersion } = deployment.metadata;
  return live === spec.replicas && !autoscaler && resourceVersion !== undefined
    ? { decides: 'Spec', replicas: live, onlyAtVersion: resourceVersion }
    : { decides: 'Held', floor: spec.replicas, replicas: live };
}

/** A Deployment that was deleted by hand under load comes back as large as the autoscaler last wanted it. */
function replicasToBeginWith(
  { autoscaling, replicas }: ModelService['spec'],
  autoscaler: Autoscaler | undefined,
): number {
  if (!autoscaling) return replicas;
  const asked = autoscaler?.status?.desiredReplicas ?? 0;
  return Math.min(Math.max(asked, replicas), autoscaling.maxReplicas);
}

/** Replicas that a node drain must spare, and that must be ready for the service to be. */
export function guaranteedReplicas(decision: ReplicaDecision): number {
  return decision.decides === 'Spec' ? decision.replicas : Math.min(decision.floor, decision.replicas);
}

function handoverOf({ metadata }: Deployment, replicas: number): Handover {
  return { replicas, uid: metadata.uid ?? '', resourceVersion: metadata.resourceVersion ?? '' };
}
