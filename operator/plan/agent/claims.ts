/** What the city says of each service that it was given: what it obeys, what runs, how it is, what it needs. */
import type { ClaimStatus } from '../../../crds/city-report.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import type { Autoscaler, Pod } from '../cluster-objects.ts';
import type { Grant } from '../failover/claim.ts';
import { isReady } from '../pods.ts';
import { neededReplicas } from './needed.ts';

/** One service as it is in the city. */
export interface ObservedShare {
  readonly grant: Grant;
  /** The mirrored ModelService; undefined when there is none, or one that is not from the hub. */
  readonly service: ModelService | undefined;
  /** All pods of the service, those on their way out too. */
  readonly pods: readonly Pod[];
  readonly autoscaler?: Autoscaler;
  /** Why the grant that is obeyed cannot be carried out. */
  readonly trouble?: Trouble;
  readonly url?: string;
}

export interface Trouble {
  readonly reason: 'NameConflict' | 'NamespaceProtected' | 'InvalidSpec' | 'ApplyFailed';
  /** A sentence. */
  readonly message: string;
}

export const NOTHING_OBEYED: Grant = { epoch: 0, session: '', floor: 0, ceiling: 0 };

/** Longest message of a claim. */
const MOST_CHARACTERS = 2048;

export function claimOf({ grant, service, pods, autoscaler, trouble, url }: ObservedShare): ClaimStatus {
  const { epoch, floor, ceiling } = grant;
  const running = pods.filter(holdsPlace).length;
  const bounds = { epoch, floor, ceiling, running };
  const why = trouble && { reason: trouble.reason, message: cut(trouble.message) };
  // What was withdrawn goes on answering for a moment, and nobody is to count on it.
  const isGoing = ceiling === 0 || service?.metadata.deletionTimestamp !== undefined;
  if (!service || isGoing) return { ...bounds, ready: 0, needed: 0, ...why };
  const { status = {}, spec } = service;
  const ready = Math.min(running, status.readyReplicas ?? 0);
  // A model that cannot be loaded leaves the earlier one in service.
  const answering = pods.filter(isReady).length;
  const { model, load } = status;
  return {
    ...bounds,
    ready,
    ...(answering === ready ? {} : { answering }),
    needed: neededReplicas(ready, load, spec.autoscaling, autoscaler),
    // What runs answers, whatever cannot be changed about it.
    ...(why ?? howItIs(service)),
    ...(url === undefined ? {} : { url }),
    ...given({
      version: ready > 0 ? model?.version : undefined,
      revision: ready > 0 ? model?.revision : undefined,
      busyPercent: load?.busyPercent,
      queueTimeMilliseconds: load?.queueTimeMilliseconds,
      requestsPerSecond: load?.requestsPerSecond,
    }),
  };
}

/** A pod that has a node uses its room until it is gone; one that waits for a node uses none. */
function holdsPlace({ spec, status }: Pod): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false;
  return spec?.nodeName !== undefined || status?.phase === 'Running';
}

function howItIs({ metadata, status }: ModelService): Pick<ClaimStatus, 'reason' | 'message'> {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  // Written for a spec of yesterday, it says nothing of today's.
  if (!ready || (ready.observedGeneration ?? 0) < metadata.generation) return {};
  return { reason: ready.reason, ...(ready.status === 'True' ? {} : { message: cut(ready.message) }) };
}

function cut(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - 1)}…`;
}

function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
