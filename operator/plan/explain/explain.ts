/** Why a service is not where it should be: a list of small checks, the deepest cause first. */
import { LOAD_ERROR_REASONS } from '../../../crds/load-report.ts';
import type { Situation } from '../situation.ts';
import {
  containerConfigInvalid,
  containerDelayed,
  crashLoop,
  evicted,
  imagePullFailed,
  outOfMemory,
} from './containers.ts';
import type { Check, Finding } from './finding.ts';
import { modelFailed, modelLoading, podsStarting, replicasDraining, replicasUnknown } from './model.ts';
import { addressInvalid, namespaceEnding, objectsPending, objectsRefused } from './objects.ts';
import { podsRefused } from './pods-refused.ts';
import { recalling } from './recalled.ts';
import { insufficientGpu, nodeLost, unschedulable } from './scheduling.ts';

const CHECKS: readonly Check[] = [
  namespaceEnding, // nothing else matters
  addressInvalid, // nobody can follow the spec
  objectsRefused, // without its objects nothing else can happen
  podsRefused, // without pods neither
  imagePullFailed, // pods that cannot run
  containerConfigInvalid,
  outOfMemory,
  crashLoop,
  insufficientGpu, // pods that wait for a place
  unschedulable,
  nodeLost, // pods that are cut off
  recalling(modelFailed, LOAD_ERROR_REASONS), // pods that run and cannot serve
  containerDelayed, // pods that wait for something else than a place
  recalling(replicasUnknown, ['ReplicasUnknown']), // pods of which nothing is known
  evicted, // pods that are gone, when no living one explains it
  objectsPending, // the operator's own difficulties
  replicasDraining, // all is well and takes its time
  recalling(modelLoading, ['ModelLoading']),
  podsStarting,
];

/** Everything that was found, the deepest cause first, and each thing once. */
export function explain(situation: Situation): Finding[] {
  const found = CHECKS.map((check) => check(situation)).filter((finding) => finding !== undefined);
  return found.filter(({ message }, at) => found.findIndex((other) => other.message === message) === at);
}
