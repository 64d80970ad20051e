/**
 * The closed list of condition types and reasons of a ModelService. A condition never carries a reason that is not
 * here; docs/conditions.md is generated from the texts.
 */
import { WAITING_REASONS } from './placement.ts';

export const CONDITION_TYPES = {
  Ready: 'Enough replicas have answered a real inference of the wanted model.',
  Reconciling: 'True while the operator or the cluster is still working towards the wanted state (kstatus).',
  Stalled: 'True when nothing more will happen without a change by a person (kstatus).',
  ModelAvailable: 'The wanted model was fetched, loaded and has answered an inference.',
  Scheduled: 'Every wanted pod has a node.',
  Scaled: 'Who decides the number of replicas, and whether that works.',
  RolledOut: 'Every pod runs the wanted pod template.',
  Placed: 'On a hub: every guaranteed replica has a city.',
  Routed: 'On a hub, with spec.placement.route: a Gateway sends clients to every city that serves.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

export const REASONS = {
  Serving: 'All wanted replicas serve the wanted model.',
  ScaledToZero: 'No replica is wanted and none runs.',
  Progressing: 'Work goes on; nothing is known to be wrong.',
  UpToDate: 'The observed state is the wanted state.',
  // pods
  PodsStarting: 'Pods were created and are starting.',
  ImagePullFailed: 'The node cannot pull the container image.',
  ContainerConfigInvalid: 'The kubelet refuses to create the container as it is specified.',
  CrashLoop: 'The container keeps exiting.',
  OutOfMemory: 'The container or the model needs more memory than it may use.',
  InsufficientGPU: 'No node has enough free GPUs of the wanted resource.',
  Unschedulable: 'The scheduler finds no node for a pod for another reason than GPUs.',
  AllScheduled: 'Every wanted pod has a node.',
  QuotaExceeded: 'A ResourceQuota or LimitRange refuses the pods.',
  PodsRefused: 'The API server refuses to create the pods.',
  ReplicasUnknown: 'Replicas run, but their reports are missing, so their health is not known.',
  ReplicasDraining: 'Replicas are finishing their last requests.',
  // model
  ModelLoading: 'Replicas fetch, load or warm up the wanted model.',
  ModelVerified: 'The wanted model has answered an inference on every ready replica.',
  NoReports: 'No replica has reported yet.',
  SourceUnreachable: 'The address of the model does not answer.',
  SourceNotFound: 'The address answers, but there is no model there.',
  AccessDenied: 'The address refuses access.',
  DigestMismatch: 'What was fetched is not what spec.model.digest pins.',
  SignatureMissing: 'spec.model.signature asks for a signature, and the model has none.',
  SignatureInvalid: 'The model is not signed by the key of spec.model.signature, or was changed since.',
  FormatUnknown: 'The files at the address are no model that this server can load.',
  VersionNotFound: 'There is no such version directory at the address.',
  ModelInvalid: 'TensorFlow cannot load the files.',
  WarmUpFailed: 'The model loads but fails its first inference.',
  EngineFailed: 'The TensorFlow engine stopped working.',
  // scale
  FixedReplicas: 'spec.replicas decides.',
  Autoscaled: 'The HorizontalPodAutoscaler decides between spec.replicas and spec.autoscaling.maxReplicas.',
  HeldFromAutoscaling: 'Autoscaling was removed; its last number stays until spec.replicas is edited.',
  AutoscalerFailing: 'The HorizontalPodAutoscaler cannot compute a number of replicas.',
  MetricsAPIOwnedByOther: 'Another adapter owns custom.metrics.k8s.io, so CPU replaces the reported metrics.',
  // rollout
  RolloutSurging: 'New pods start beside the old ones.',
  RolloutInPlace: 'Pods are replaced one by one, since no GPU is free for an extra one.',
  RolloutHeld:
    'spec.rollout.strategy is Reload: pods are not replaced, so a change of the pod template waits.',
  // placement
  Placed: 'Every guaranteed replica has a city.',
  ...WAITING_REASONS,
  Moving: 'Replicas are on their way to a city or from one.',
  CityNotHeard: 'A city that has replicas is not heard of.',
  NoHub: 'The service has spec.placement, and this cluster is not a hub.',
  // route
  Routed: 'The HTTPRoute is accepted and leads to every city with ready replicas.',
  NothingReady: 'No city has a ready replica; the route answers 503.',
  CityNotRoutable: 'A city has ready replicas to which the route cannot lead.',
  RouteNotAccepted: 'A Gateway does not accept the HTTPRoute, or has not yet.',
  GatewayAPIMissing: 'The hub has no Gateway API.',
  // errors
  InvalidSpec: 'The API server refuses an object that follows from the spec.',
  NameConflict: 'An object of the needed name exists and belongs to something else.',
  ApplyFailed: 'The API server could not be written to; the operator tries again.',
} as const;
export type Reason = keyof typeof REASONS;

/** A `metav1.Condition` with our types and reasons. */
export interface ServiceCondition {
  type: ConditionType;
  status: 'True' | 'False' | 'Unknown';
  reason: Reason;
  message: string;
  observedGeneration: number;
  /** RFC 3339, moves only when `status` changes. */
  lastTransitionTime: string;
}
