/** What a pod's status says, in the few words that the plan needs. */
import type { Condition, ContainerStatus, Pod } from './cluster-objects.ts';
import { CONTAINER_NAME } from './pod-template.ts';

/** On its way out, or ended: it no longer counts as a replica. */
export function isEnding({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined || status?.phase === 'Failed' || status?.phase === 'Succeeded'
  );
}

/** The kubelet finds it ready. */
export function isReady(pod: Pod): boolean {
  return !isEnding(pod) && conditionOf(pod, 'Ready')?.status === 'True';
}

/** Since when the scheduler has said that there is no node for it; undefined when it has not, or has found one. */
export function unscheduledSince(pod: Pod): string | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (isEnding(pod) || scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable')
    return undefined;
  return scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp;
}

/** Mounting volumes and setting up the network takes seconds; beyond this something is missing. */
export const DELAYED_AFTER_SECONDS = 60;

/** Since when a pod that has a node has had no container yet; undefined when it has one. */
export function creatingSince(pod: Pod): string | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  const isCreating = containerOf(pod)?.state?.waiting?.reason === 'ContainerCreating';
  return isCreating && !isEnding(pod) && scheduled?.status === 'True'
    ? scheduled.lastTransitionTime
    : undefined;
}

export function conditionOf({ status }: Pod, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** State of the model-server container, once the kubelet has one. */
export function containerOf({ status }: Pod): ContainerStatus | undefined {
  return status?.containerStatuses?.find(({ name }) => name === CONTAINER_NAME);
}

/** Seconds from one RFC 3339 time to another; never negative, since clocks of two machines differ. */
export function secondsSince(then: string, now: string): number {
  return Math.max(0, (Date.parse(now) - Date.parse(then)) / 1000);
}
