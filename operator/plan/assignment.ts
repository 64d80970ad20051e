/** Which model a pod is to serve. */
import type { ModelService, ModelSource, RolloutStrategy } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import { fingerprint } from './canonical-json.ts';

/** What every replica of the service is to serve. */
export function assignmentOf({ spec }: ModelService): ModelAssignment {
  return { revision: modelRevision(spec.model), model: spec.model, serving: spec.serving };
}

/** True where a changed model needs new pods. */
export function modelComesWithPod(strategy: RolloutStrategy): boolean {
  return strategy === 'Surge' || strategy === 'InPlace';
}

/** Identity of a model source: every field that decides which bytes are loaded, and how. */
export function modelRevision({ uri, format, version, digest }: ModelSource): string {
  return fingerprint({ uri, format, version, digest });
}
