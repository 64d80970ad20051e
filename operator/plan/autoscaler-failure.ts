/** Whether the autoscaler works, and for how long a failure may be one that passes. */
import type { Autoscaler, Condition } from './cluster-objects.ts';
import { secondsSince } from './pods.ts';

/** The autoscaler looks every 15 s. */
export const GRACE_SECONDS = {
  /** Pods start, report, and are measured at the round after that. */
  beginning: 60,
  /** A new leader has no reports yet, which one round may meet and the next one mends. */
  interruption: 30,
} as const;

/** The condition that says that it cannot compute a number of replicas. */
export function failureOf(autoscaler: Autoscaler | undefined): Condition | undefined {
  return autoscaler?.status?.conditions?.find(
    ({ type, status }) => (type === 'ScalingActive' || type === 'AbleToScale') && status === 'False',
  );
}

/** Seconds until the grace of a failure is over; 0 when it is, and when there is no failure. */
export function graceLeftSeconds(
  autoscaler: Autoscaler | undefined,
  grace: keyof typeof GRACE_SECONDS,
  now: string,
): number {
  const since = failureOf(autoscaler)?.lastTransitionTime;
  return since === undefined ? 0 : Math.max(0, GRACE_SECONDS[grace] - secondsSince(since, now));
}
