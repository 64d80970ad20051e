/** When to look again although nothing changes: some conclusions follow from the passing of time. */
import { graceLeftSeconds } from './autoscaler-failure.ts';
import type { Autoscaler, Pod } from './cluster-objects.ts';
import type { Observed } from './observed.ts';
import { creatingSince, DELAYED_AFTER_SECONDS, secondsSince, unscheduledSince } from './pods.ts';
import { secondsOverdue } from './replica.ts';
import type { Outcome, Target } from './target.ts';

export interface NextLook {
  readonly afterSeconds: number;
  readonly reason: string;
}

/** A conflict is over as soon as our copy of the object is up to date. */
const AFTER_CONFLICT_SECONDS = 1;
const AFTER_FAILURE_SECONDS = 5;
/** An object that is not ours carries no label, so its end is not seen. */
const AFTER_NAME_CONFLICT_SECONDS = 30;
/** A refusal can also come from outside: a webhook, a policy, a quota. */
const AFTER_TERMINAL_SECONDS = 300;
/** A namespace that is deleted takes the service with it, and does not come back. */
const AFTER_ENDING_SECONDS = 300;
/** While an extra pod of a rollout has no node; see `rollout.ts`. */
const WHILE_STUCK_SECONDS = 5;
const WHILE_WAITING_SECONDS = 30;

/** The earliest of all reasons to look again, or undefined when only a change can bring something new. */
export function nextLook(
  observed: Observed,
  target: Target,
  outcomes: readonly Outcome[],
): NextLook | undefined {
  const looks = [
    ...outcomes.flatMap(afterOutcome),
    ...whileWaiting(observed, target),
    ...firstReports(observed),
    ...delays(observed),
    ...autoscalerGrace(observed),
  ];
  return looks.sort((a, b) => a.afterSeconds - b.afterSeconds)[0];
}

/** When to try again what has not been done. */
export function afterOutcome(outcome: Outcome): NextLook[] {
  switch (outcome.kind) {
    case 'done':
      return [];
    case 'conflict':
      return [{ afterSeconds: AFTER_CONFLICT_SECONDS, reason: 'an object had changed' }];
    case 'retry':
      return [
        {
          afterSeconds: Math.max(outcome.afterSeconds ?? 0, AFTER_FAILURE_SECONDS),
          reason: 'an object could not be written',
        },
      ];
    case 'ending':
      return [{ afterSeconds: AFTER_ENDING_SECONDS, reason: 'the namespace is being deleted' }];
    case 'terminal':
      return [{ afterSeconds: AFTER_TERMINAL_SECONDS, reason: 'an object is refused' }];
    case 'refused':
      return [{ afterSeconds: AFTER_NAME_CONFLICT_SECONDS, reason: 'a name is taken' }];
  }
}

/** What a waiting pod waits for, and who has it, can change without a sign that concerns this service. */
function whileWaiting({ pods }: Observed, { rollout }: Target): NextLook[] {
  if (!pods.some((pod) => unscheduledSince(pod) !== undefined)) return [];
  return rollout.kind === 'Surging'
    ? [{ afterSeconds: WHILE_STUCK_SECONDS, reason: 'an extra pod waits for a node' }]
    : [{ afterSeconds: WHILE_WAITING_SECONDS, reason: 'a pod waits for a node' }];
}

/** A pod that gets no container will be told when that takes too long. */
function delays({ now, pods }: Observed): NextLook[] {
  return pods
    .map(creatingSince)
    .filter((since) => since !== undefined)
    .map((since) => DELAYED_AFTER_SECONDS - secondsSince(since, now))
    .filter((seconds) => seconds > 0)
    .map((seconds) => ({ afterSeconds: seconds + 1, reason: 'a pod has no container yet' }));
}

/** An autoscaler that still fails when its grace is over is told. */
function autoscalerGrace({ children, now }: Observed): NextLook[] {
  return children
    .filter((object): object is Autoscaler => object.kind === 'HorizontalPodAutoscaler')
    .flatMap((autoscaler) => [
      graceLeftSeconds(autoscaler, 'interruption', now),
      graceLeftSeconds(autoscaler, 'beginning', now),
    ])
    .filter((seconds) => seconds > 0)
    .map((seconds) => ({ afterSeconds: seconds + 1, reason: 'the autoscaler has no metrics' }));
}

/** A pod whose first report is not due yet will be judged when it is. */
function firstReports({ now, pods, reports, reportsSettled }: Observed): NextLook[] {
  const heard = new Set(reports.map(({ podUid }) => podUid));
  const waits = pods
    .filter((pod) => !heard.has(pod.metadata.uid ?? ''))
    .map((pod) => -secondsOverdue(pod, now))
    .filter((seconds) => Number.isFinite(seconds) && seconds > 0);
  const isRunning = (pod: Pod) => Number.isFinite(secondsOverdue(pod, now));
  const settling =
    !reportsSettled && pods.some((pod) => isRunning(pod) && !heard.has(pod.metadata.uid ?? ''));
  return [
    ...(waits.length > 0
      ? [{ afterSeconds: Math.min(...waits) + 1, reason: 'the first report of a replica is due' }]
      : []),
    ...(settling ? [{ afterSeconds: 2, reason: 'the operator has only begun to listen' }] : []),
  ];
}
