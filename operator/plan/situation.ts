/** All that the explanations and the status are made from, gathered once. */
import type { ModelService } from '../../crds/model-service.ts';
import { modelRevision } from './assignment.ts';
import type { Deployment } from './cluster-objects.ts';
import type { Observed } from './observed.ts';
import { liveDeployment } from './plan.ts';
import { type Replica, replicasOf } from './replica.ts';
import { guaranteedReplicas } from './replicas.ts';
import type { Outcome, Target } from './target.ts';

export interface Situation {
  readonly service: ModelService;
  readonly observed: Observed;
  readonly target: Target;
  readonly outcomes: readonly Outcome[];
  readonly deployment: Deployment | undefined;
  readonly replicas: readonly Replica[];
  /** Identity of the wanted model. */
  readonly revision: string;
  /** Replicas that are wanted now, and how many of them make the service ready. */
  readonly wanted: number;
  readonly guaranteed: number;
  /** Replicas that serve the wanted model, verified by their own reports, and those that are still believed. */
  readonly ready: number;
  /** Replicas of which a new leader has not heard yet and believes what status says. */
  readonly believed: number;
  /** Replicas of which it is too early to say anything and that are not believed either. */
  readonly unheard: number;
}

export function situationOf(
  service: ModelService,
  observed: Observed,
  target: Target,
  outcomes: readonly Outcome[],
): Situation {
  const revision = modelRevision(service.spec.model);
  const replicas = replicasOf(observed, revision, target.rollout.templateRevision);
  const believed = observed.reportsSettled ? 0 : stillBelieved(service, replicas, revision);
  return {
    service,
    observed,
    target,
    outcomes,
    deployment: liveDeployment(service, observed),
    replicas,
    revision,
    wanted: target.replicas.replicas,
    guaranteed: guaranteedReplicas(target.replicas),
    ready: replicas.filter(({ verified }) => verified).length + believed,
    believed,
    unheard: replicas.filter(({ voice }) => voice === 'NotYet').length - believed,
  };
}

/**
 * A new leader has heard no replica yet. For the first seconds it believes what status says of the same model, as far
 * as there are ready pods to be believed in; otherwise every change of leader would look like an outage.
 */
function stillBelieved({ status }: ModelService, replicas: readonly Replica[], revision: string): number {
  const unheard = replicas.filter(({ ready, voice }) => ready && voice === 'NotYet').length;
  const verified = replicas.filter((replica) => replica.verified).length;
  const said = status?.model?.revision === revision ? (status.readyReplicas ?? 0) : 0;
  return Math.min(unheard, Math.max(0, said - verified));
}
