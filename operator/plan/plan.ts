/**
 * From a service and what was observed to what is to be done: the objects to apply and to delete, each with a reason.
 * Pure: the same input gives the same plan, and the plan of a world that is as it should be is empty.
 */
import { ANNOTATIONS } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { autoscaler } from './autoscaler.ts';
import type { Autoscaler, Deployment, LiveObject } from './cluster-objects.ts';
import { clusterService } from './cluster-service.ts';
import { configMap } from './config-map.ts';
import { deployment } from './deployment.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { holds } from './holds.ts';
import { API_VERSIONS, childName } from './names.ts';
import { networkPolicy } from './network-policy.ts';
import type { Observed } from './observed.ts';
import { ownership, refusal } from './ownership.ts';
import { podTemplate } from './pod-template.ts';
import { decideReplicas, guaranteedReplicas, type ReplicaDecision } from './replicas.ts';
import { decideRollout } from './rollout.ts';
import { serviceAccount } from './service-account.ts';
import {
  type ApplyStep,
  CHILD_KINDS,
  type ChildKind,
  type DesiredObject,
  type Step,
  type Target,
} from './target.ts';

export function plan(service: ModelService, observed: Observed): Target {
  const { settings, pods, gpus, now } = observed;
  const live = liveDeployment(service, observed);
  const replicas = decideReplicas(service, live, liveAutoscaler(service, observed));
  const template = podTemplate(service, settings);
  const rollout = decideRollout({
    service,
    deployment: live,
    pods,
    gpus,
    now,
    templateRevision: template.metadata.annotations[ANNOTATIONS.templateRevision]!,
    replicas: replicas.replicas,
  });
  const desired = [
    configMap(service, settings),
    serviceAccount(service),
    networkPolicy(service, settings),
    clusterService(service),
    deployment(service, template, replicas, rollout),
    disruptionBudget(service, guaranteedReplicas(replicas)),
    desiredAutoscaler(service, observed, replicas),
  ].filter((object) => object !== undefined);
  const steps = [
    ...desired.flatMap((object) => stepsTowards(object, service, observed, replicas)),
    ...removals(desired, service, observed),
  ];
  return { steps, replicas, rollout };
}

/** The Deployment as it is, when it is this service's own. */
export function liveDeployment(service: ModelService, observed: Observed): Deployment | undefined {
  const live = find(observed.children, 'Deployment', childName(service, 'Deployment'));
  return live && ownership(live, service) === 'Ours' ? (live as Deployment) : undefined;
}

/** The autoscaler as it is, also while it is on its way out. */
export function liveAutoscaler(service: ModelService, { children }: Observed): Autoscaler | undefined {
  const name = childName(service, 'HorizontalPodAutoscaler');
  const live = find(children, 'HorizontalPodAutoscaler', name);
  return live && ownership(live, service) !== 'Foreign' ? (live as Autoscaler) : undefined;
}

/** None before the autoscaler has been given the number of replicas: two writers would fight over it. */
function desiredAutoscaler(
  service: ModelService,
  { customMetrics }: Observed,
  { decides }: ReplicaDecision,
): DesiredObject | undefined {
  const { autoscaling } = service.spec;
  return autoscaling && decides === 'Autoscaler'
    ? autoscaler(service, autoscaling, customMetrics)
    : undefined;
}

function stepsTowards(
  object: DesiredObject,
  service: ModelService,
  { children }: Observed,
  replicas: ReplicaDecision,
): Step[] {
  const live = find(children, object.kind, object.metadata.name);
  if (!live) return [{ action: 'apply', object, because: 'create' }];
  const refused = refusal(live, service);
  if (refused) return [refused];
  const careful = precautions(object, replicas);
  const because = difference(live, object) ?? (careful.handover ? 'drifted' : undefined);
  const { uid } = live.metadata;
  return because === undefined
    ? []
    : [{ action: 'apply', object, because, ...(uid ? { uid } : {}), ...careful }];
}

/** Why a live object of ours has to be applied again; undefined when it is as desired. */
export function difference(live: LiveObject, desired: DesiredObject): ApplyStep['because'] | undefined {
  const applied = live.metadata.annotations?.[ANNOTATIONS.applied];
  if (applied !== desired.metadata.annotations?.[ANNOTATIONS.applied]) return 'changed';
  return holds(live, desired) ? undefined : 'drifted';
}

function precautions(
  { kind }: DesiredObject,
  replicas: ReplicaDecision,
): Pick<ApplyStep, 'handover' | 'onlyAtVersion'> {
  if (kind !== 'Deployment') return {};
  if (replicas.decides === 'Autoscaler' && replicas.handover) return { handover: replicas.handover };
  if (replicas.decides === 'Spec' && replicas.onlyAtVersion !== undefined)
    return { onlyAtVersion: replicas.onlyAtVersion };
  return {};
}

/** Everything that was made here for a service that others serve now. */
export function withdrawal(service: ModelService, observed: Observed): Step[] {
  return removals([], service, observed);
}

/** Objects of this service that nothing calls for any more. */
function removals(desired: readonly DesiredObject[], service: ModelService, observed: Observed): Step[] {
  const isWanted = ({ kind, metadata }: LiveObject) => find(desired, kind, metadata.name) !== undefined;
  return observed.children
    .filter((object) => isChildKind(object.kind) && !isWanted(object))
    .filter((object) => ownership(object, service) === 'Ours' && object.metadata.uid !== undefined)
    .filter((object) => !isNeededByPods(object, observed))
    .map((object) => ({
      action: 'delete',
      kind: object.kind as ChildKind,
      name: object.metadata.name,
      namespace: service.metadata.namespace,
      uid: object.metadata.uid!,
      because: REMOVAL_REASONS[object.kind as ChildKind] ?? 'the service no longer needs it',
    }));
}

const REMOVAL_REASONS: Partial<Record<ChildKind, string>> = {
  HorizontalPodAutoscaler: 'spec.autoscaling is not set',
  PodDisruptionBudget: 'a budget for fewer than two replicas would block node drains',
  ServiceAccount: 'spec.podTemplate.serviceAccountName names another one and no pod uses this one',
};

/** Pods cannot renew their tokens, and old ReplicaSets cannot make pods, without the account that they run as. */
function isNeededByPods({ kind, metadata }: LiveObject, { pods }: Observed): boolean {
  return kind === 'ServiceAccount' && pods.some(({ spec }) => spec?.serviceAccountName === metadata.name);
}

function find<T extends LiveObject>(objects: readonly T[], kind: string, name: string): T | undefined {
  return objects.find((object) => object.kind === kind && object.metadata.name === name);
}

function isChildKind(kind: string): kind is ChildKind {
  return (CHILD_KINDS as readonly string[]).includes(kind) && kind in API_VERSIONS;
}
