import type { ModelService } from '../../../crds/model-service.ts';
import { needsCustomMetrics } from '../autoscaler.ts';
import { failureOf, graceLeftSeconds } from '../autoscaler-failure.ts';
import { liveAutoscaler } from '../plan.ts';
import type { Situation } from '../situation.ts';
import { quoted, replicaCount } from '../wording.ts';
import type { Judge, Verdict } from './verdict.ts';

/** Who decides the number of replicas, and does it work? */
export const scaled: Judge = (situation) => {
  const { replicas: decision } = situation.target;
  switch (decision.decides) {
    case 'Spec':
      return situation.service.spec.autoscaling
        ? {
            status: 'Unknown',
            reason: 'Progressing',
            message: 'the autoscaler takes over once the Deployment is there',
          }
        : { status: 'True', reason: 'FixedReplicas', message: `spec.replicas is ${decision.replicas}` };
    case 'Held':
      return {
        status: 'True',
        reason: 'HeldFromAutoscaling',
        message: held(decision.replicas, decision.floor),
      };
    case 'Autoscaler':
      return autoscaled(situation, decision.floor, decision.replicas);
  }
};

function held(replicas: number, floor: number): string {
  if (replicas === floor)
    return `autoscaling was removed at ${replicaCount(replicas)}, which spec.replicas asks for, too`;
  return `autoscaling was removed at ${replicaCount(replicas)}, which stay until spec.replicas is edited: set it to ${replicas} to keep them, or to any number but ${floor}`;
}

function autoscaled({ observed, ready, service }: Situation, floor: number, replicas: number): Verdict {
  const live = liveAutoscaler(service, observed);
  const conditions = live?.status?.conditions ?? [];
  if (conditions.length === 0) {
    return { status: 'Unknown', reason: 'Progressing', message: 'the autoscaler has not looked yet' };
  }
  const failure = failureOf(live);
  const grace = hasWorked(service) ? 'interruption' : 'beginning';
  const isPassing = graceLeftSeconds(live, grace, observed.now) > 0;
  if (failure && !(isPassing && grace === 'interruption')) {
    const message = `the autoscaler cannot compute a number of replicas, so ${replicas} stay: ${quoted(failure.message, failure.reason)}`;
    return ready > 0 && !isPassing
      ? { status: 'False', reason: 'AutoscalerFailing', message }
      : { status: 'Unknown', reason: 'Progressing', message };
  }
  const { maxReplicas = floor } = service.spec.autoscaling ?? {};
  const range = `the autoscaler decides between ${floor} and ${maxReplicas}`;
  if (
    service.spec.autoscaling &&
    needsCustomMetrics(service.spec.autoscaling) &&
    observed.customMetrics.kind === 'Other'
  ) {
    const { owner } = observed.customMetrics;
    const message = `${range} by CPU instead of the reported load, since custom.metrics.k8s.io is served by ${owner}`;
    return { status: 'True', reason: 'MetricsAPIOwnedByOther', message };
  }
  return { status: 'True', reason: 'Autoscaled', message: `${range}` };
}

/** What status says until a failure is told. */
function hasWorked({ status }: ModelService): boolean {
  const before = status?.conditions?.find(({ type }) => type === 'Scaled');
  return (
    before?.status === 'True' && before.reason !== 'FixedReplicas' && before.reason !== 'HeldFromAutoscaling'
  );
}
