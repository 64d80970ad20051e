/** Whether the autoscaler works, and for how long a failure may be one of the beginning. */
import type { Autoscaler, Condition } from './cluster-objects.ts';
import { secondsSince } from './pods.ts';

/** Pods start, report, and are measured at the next round of the autoscaler, which is every 15 s. */
const GRACE_SECONDS = 60;

/** The condition that says that it cannot compute a number of replicas. */
export function failureOf(autoscaler: Autoscaler | undefined): Condition | undefined {
  return autoscaler?.status?.conditions?.find(
    ({ type, status }) => (type === 'ScalingActive' || type === 'AbleToScale') && status === 'False',
  );
}

/** How long a failure still counts as one of the beginning; 0 when it does not, and when there is none. */
export function graceSeconds(autoscaler: Autoscaler | undefined, now: string): number {
  const since = failureOf(autoscaler)?.lastTransitionTime;
  return since === undefined ? 0 : Math.max(0, GRACE_SECONDS - secondsSince(since, now));
}
