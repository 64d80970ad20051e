/**
 * How new pods replace old ones. A surge needs a free GPU for the extra pod; where there is none, pods are replaced one
 * by one. The choice is made when a rollout begins and falls back to one by one when the extra pod gets no place, so
 * that a rollout on a full cluster never waits for itself.
 */
import { ANNOTATIONS } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import type { Deployment, Pod } from './cluster-objects.ts';
import { type GpuDemand, type GpuSupply, gpuSituation } from './gpu-supply.ts';
import { nodeSelectorOf, tolerationsOf } from './pod-placement.ts';
import { isEnding, secondsSince, unscheduledSince } from './pods.ts';

export interface RollingUpdate {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export interface RolloutDecision {
  /** `Settled`: no old pod is left. */
  readonly kind: 'Settled' | 'Surging' | 'InPlace' | 'Held';
  readonly rollingUpdate: RollingUpdate;
  /** Identity of the wanted pod template. */
  readonly templateRevision: string;
  /** Part of a sentence: why it goes this way. */
  readonly because: string;
}

export interface RolloutInput {
  readonly service: ModelService;
  readonly deployment: Deployment | undefined;
  readonly pods: readonly Pod[];
  readonly gpus: GpuSupply;
  /** RFC 3339. */
  readonly now: string;
  readonly templateRevision: string;
  /** Pods that are wanted in the end. */
  readonly replicas: number;
}

const ONE_MORE: RollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
const ONE_LESS: RollingUpdate = { maxSurge: 0, maxUnavailable: 1 };

/** The scheduler needs a moment to see a GPU that has just become free. */
const STUCK_AFTER_SECONDS = 15;
/** When a GPU is free and the pod still has no node, something else is short, and the message may be about to change. */
const STUCK_ANYWAY_AFTER_SECONDS = 60;

export function decideRollout(input: RolloutInput): RolloutDecision {
  const { service, templateRevision } = input;
  const decide = (
    kind: RolloutDecision['kind'],
    rollingUpdate: RollingUpdate,
    because: string,
  ): RolloutDecision => ({ kind, rollingUpdate, templateRevision, because });
  const { strategy } = service.spec.rollout;
  const isRolling = oldPods(input.pods, templateRevision).length > 0;
  switch (strategy) {
    case 'Reload': {
      const isHeld = isRolling || mayHaveOldPods(input);
      return decide(isHeld ? 'Held' : 'Settled', ONE_MORE, 'spec.rollout.strategy is Reload');
    }
    case 'Surge':
      return decide(isRolling ? 'Surging' : 'Settled', surgeOf(input), 'spec.rollout.strategy is Surge');
    case 'InPlace':
      return decide(isRolling ? 'InPlace' : 'Settled', ONE_LESS, 'spec.rollout.strategy is InPlace');
    case 'Auto': {
      if (!isRolling) return decide('Settled', ONE_MORE, 'every pod is up to date');
      const room = roomForExtra(input);
      return room.extra > 0
        ? decide('Surging', { maxSurge: room.extra, maxUnavailable: 0 }, room.because)
        : decide('InPlace', ONE_LESS, room.because);
    }
  }
}

/** Pods made from another template, without those that are on their way out. */
function oldPods(pods: readonly Pod[], templateRevision: string): Pod[] {
  return pods.filter((pod) => !isEnding(pod) && !isUpdated(pod, templateRevision));
}

/**
 * Whether the Deployment may have old pods that nobody has seen yet, as shortly after it was made. They are to stay as
 * well, so it is held until its own count, of this template, says that there are none.
 */
function mayHaveOldPods({ deployment, templateRevision }: RolloutInput): boolean {
  if (!deployment?.spec) return false;
  const { metadata, spec, status = {} } = deployment;
  const begun = spec.template?.metadata?.annotations?.[ANNOTATIONS.templateRevision];
  if (begun !== templateRevision) return spec.replicas !== 0;
  if (!spec.paused) return false;
  const isCounted = status.observedGeneration === metadata.generation;
  return !isCounted || (status.replicas ?? 0) > (status.updatedReplicas ?? 0);
}

export function isUpdated({ metadata }: Pod, templateRevision: string): boolean {
  return metadata.annotations?.[ANNOTATIONS.templateRevision] === templateRevision;
}

/** What one replica needs of the GPUs, or undefined when it needs none. */
export function gpuDemand({ spec }: ModelService): GpuDemand | undefined {
  if (spec.gpu.count === 0) return undefined;
  return {
    resource: spec.gpu.resource,
    count: spec.gpu.count,
    nodeSelector: nodeSelectorOf(spec),
    tolerations: tolerationsOf(spec),
  };
}

function roomForExtra(input: RolloutInput): { extra: number; because: string } {
  const { deployment, service, templateRevision } = input;
  const begun = deployment?.spec?.template?.metadata?.annotations?.[ANNOTATIONS.templateRevision];
  if (begun === templateRevision && !deployment?.spec?.paused) {
    const chosen = deployment?.spec?.strategy?.rollingUpdate?.maxSurge;
    if (chosen === 0) return { extra: 0, because: 'it began one by one' };
    const stuck = whyStuck(input);
    if (stuck !== undefined) return { extra: 0, because: stuck };
    return { extra: typeof chosen === 'number' ? chosen : 1, because: 'an extra pod has a place' };
  }
  const { maxSurge } = surgeOf(input);
  const demand = gpuDemand(service);
  if (!demand) return { extra: maxSurge, because: 'no GPU is needed' };
  const { fits } = gpuSituation(input.gpus, demand);
  return fits > 0
    ? { extra: Math.min(maxSurge, fits), because: `${demand.resource} is free for ${fits} extra` }
    : { extra: 0, because: `no ${demand.resource} is free for an extra pod` };
}

/**
 * Why the extra pods of a surge will get no place without an old pod making room. While a pod of the service is on its
 * way out its place is about to be free, so nothing is stuck yet.
 */
function whyStuck({
  deployment,
  gpus,
  now,
  pods,
  service,
  templateRevision,
}: RolloutInput): string | undefined {
  const refused = deployment?.status?.conditions?.some(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
  );
  if (refused) return 'the API server refuses an extra pod';
  if (pods.some(isEnding)) return undefined;
  const waits = pods
    .filter((pod) => isUpdated(pod, templateRevision))
    .map(unscheduledSince)
    .filter((since) => since !== undefined)
    .map((since) => secondsSince(since, now));
  const longest = Math.max(0, ...waits);
  const demand = gpuDemand(service);
  const isFull = demand !== undefined && isWithoutRoom(gpus, demand);
  const limit = isFull ? STUCK_AFTER_SECONDS : STUCK_ANYWAY_AFTER_SECONDS;
  return longest >= limit ? 'an extra pod gets no node' : undefined;
}

/** No node has enough free devices for one replica, not counting who else waits. */
function isWithoutRoom(gpus: GpuSupply, demand: GpuDemand): boolean {
  const held = gpus.claims.filter(({ nodeName }) => nodeName !== undefined);
  return gpuSituation({ ...gpus, claims: held }, demand).fits === 0;
}

/** A quarter of the replicas at once, at least one. */
function surgeOf({ replicas }: RolloutInput): RollingUpdate {
  return { maxSurge: Math.max(1, Math.ceil(replicas / 4)), maxUnavailable: 0 };
}
