/** What a plan asks for: objects to apply and to delete, each with the reason why. */
import type { Reason } from '../../crds/conditions.ts';
import type { LiveObject } from './cluster-objects.ts';
import type { ReplicaDecision } from './replicas.ts';
import type { RolloutDecision } from './rollout.ts';

/** An object as we want it: complete, in the API server's own spelling, ready to be applied. */
export interface DesiredObject extends LiveObject {
  readonly apiVersion: string;
  readonly metadata: DesiredMetadata;
  readonly [field: string]: unknown;
}

export interface DesiredMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences: NonNullable<LiveObject['metadata']['ownerReferences']>;
}

/** Kinds that a service consists of, in the order in which they are made. */
export const CHILD_KINDS = [
  'ConfigMap',
  'ServiceAccount',
  'NetworkPolicy',
  'Service',
  'Deployment',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
] as const;
export type ChildKind = (typeof CHILD_KINDS)[number];

/** Kinds that a route to the cities of a service consists of, on a hub. */
export const ROUTE_KINDS = ['Service', 'EndpointSlice', 'HTTPRoute'] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

export type StepKind = ChildKind | RouteKind;

export type Step = ApplyStep | DeleteStep | RefusedStep;

export interface ApplyStep {
  readonly action: 'apply';
  readonly object: DesiredObject;
  /** `create`: none was seen. An object that is not ours has no label to be seen by, so the write must not find one. */
  readonly because: 'create' | 'changed' | 'drifted';
  /** Of the object that was seen, so that one that is deleted meanwhile does not come back. */
  readonly uid?: string;
  /** To be done first, else the step must not be done. */
  readonly handover?: Handover;
  /** The version that the decision was made from; the write is refused when the object has changed since. */
  readonly onlyAtVersion?: string;
}

/**
 * Gives `spec.replicas` of a Deployment to another field manager, with the value that it has. When ours then applies
 * without the field, the value stays; otherwise the API server would set it back to its default, 1.
 */
export interface Handover {
  readonly replicas: number;
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface DeleteStep {
  readonly action: 'delete';
  readonly kind: StepKind;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** A sentence for the log. */
  readonly because: string;
}

/** An object that cannot be made because of what stands in its place. */
export interface RefusedStep {
  readonly action: 'refuse';
  readonly kind: StepKind;
  readonly name: string;
  /** `NameConflict`: somebody else's. `Progressing`: the remains of a predecessor, which are on their way out. */
  readonly reason: Extract<Reason, 'NameConflict' | 'Progressing'>;
  readonly message: string;
}

export interface Target {
  /** What there is to do, in order. Empty when the world is as it should be. */
  readonly steps: readonly Step[];
  readonly replicas: ReplicaDecision;
  readonly rollout: RolloutDecision;
}

/** What became of a step. */
export type Outcome =
  | { readonly kind: 'done'; readonly step: Step }
  /** Somebody wrote in between; the next look decides anew. `found` stands where an object was to be created. */
  | {
      readonly kind: 'conflict';
      readonly step: Step;
      readonly message: string;
      readonly found?: LiveObject;
    }
  /** The API server cannot be reached or is overloaded. */
  | {
      readonly kind: 'retry';
      readonly step: Step;
      readonly message: string;
      readonly afterSeconds?: number | undefined;
    }
  /** The API server refuses the object as it is. */
  | { readonly kind: 'terminal'; readonly step: Step; readonly message: string }
  | { readonly kind: 'refused'; readonly step: RefusedStep }
  /** The namespace is being deleted, and the service with it. */
  | { readonly kind: 'ending'; readonly step: Step };
