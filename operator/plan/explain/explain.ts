/** Why a service is not where it should be: a list of small checks, the deepest cause first. */
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
import { addressInvalid, objectsPending, objectsRefused } from './objects.ts';
import { podsRefused } from './pods-refused.ts';
import { insufficientGpu, nodeLost, unschedulable } from './scheduling.ts';

const CHECKS: readonly Check[] = [
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
  modelFailed, // pods that run and cannot serve
  containerDelayed, // pods that wait for something else than a place
  replicasUnknown, // pods of which nothing is known
  evicted, // pods that are gone, when no living one explains it
  objectsPending, // the operator's own difficulties
  replicasDraining, // all is well and takes its time
  modelLoading,
  podsStarting,
];

/** Everything that was found, the deepest cause first. */
export function explain(situation: Situation): Finding[] {
  return CHECKS.map((check) => check(situation)).filter((finding) => finding !== undefined);
}
