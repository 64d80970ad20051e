/** Which model a pod is to serve. */
import type { ModelService, ModelSource, RolloutStrategy } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import { fingerprint } from './canonical-json.ts';

/** What every replica of the service is to serve. */
export function assignmentOf({ spec }: ModelService): ModelAssignment {
  return { revision: modelRevision(spec.model), model: spec.model, serving: spec.serving };
}

/**
 * What one replica is to serve, or undefined when it keeps what it serves until it is replaced. Only the present
 * strategy counts. A pod that was made for no model in particular is replaced, too, once new models come with new pods,
 * and must not load the new one before. One that was made for a model takes another once the strategy no longer
 * replaces pods for it, or it would keep the old one for as long as strategy Reload holds it.
 *
 * @param podRevision the model that the pod was made for, if it was made for one
 */
export function assignmentFor(
  service: ModelService,
  podRevision: string | undefined,
): ModelAssignment | undefined {
  const assignment = assignmentOf(service);
  const isReplaced = modelComesWithPod(service.spec.rollout.strategy) && podRevision !== assignment.revision;
  return isReplaced ? undefined : assignment;
}

/** True where a changed model needs new pods. */
export function modelComesWithPod(strategy: RolloutStrategy): boolean {
  return strategy === 'Surge' || strategy === 'InPlace';
}

/** Identity of a model source: every field that decides which bytes are loaded, and how. */
export function modelRevision({ uri, format, version, digest }: ModelSource): string {
  return fingerprint({ uri, format, version, digest });
}
