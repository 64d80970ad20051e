/** Which model a pod is to serve. */
import { ANNOTATIONS } from '../../crds/labels.ts';
import type { ModelService, ModelSource, RolloutStrategy } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import { fingerprint } from './canonical-json.ts';

/** What every replica of the service is to serve. */
export function assignmentOf({ spec }: ModelService): ModelAssignment {
  return { revision: modelRevision(spec.model), model: spec.model, serving: spec.serving };
}

/**
 * What one pod is to serve, or undefined when it is to keep what it serves: with the strategies Surge and InPlace a
 * pod is made for one revision, and another revision comes with another pod.
 */
export function assignmentForPod(
  service: ModelService,
  podAnnotations: Readonly<Record<string, string>> = {},
): ModelAssignment | undefined {
  const assignment = assignmentOf(service);
  if (!modelComesWithPod(service.spec.rollout.strategy)) return assignment;
  return podAnnotations[ANNOTATIONS.modelRevision] === assignment.revision ? assignment : undefined;
}

/** True where a changed model needs new pods. */
export function modelComesWithPod(strategy: RolloutStrategy): boolean {
  return strategy === 'Surge' || strategy === 'InPlace';
}

/** Identity of a model source: every field that decides which bytes are loaded, and how. */
export function modelRevision({ uri, format, version, digest }: ModelSource): string {
  return fingerprint({ uri, format, version, digest });
}
