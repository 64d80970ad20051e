/** Labels and annotations of everything that is made for a ModelService. */

export const MANAGER = 'aicity-operator';

export const LABELS = {
  /** Name of the ModelService; with `managedBy` it is the immutable selector of the pods. */
  service: 'aicity.io/service',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ANNOTATIONS = {
  /** On a pod whose model changes only with the pod (strategies Surge and InPlace): the revision that it is to serve. */
  modelRevision: 'aicity.io/model-revision',
  /** On a pod: identity of the pod template that it was made from. */
  templateRevision: 'aicity.io/template-revision',
  /** On every object made for a service: identity of what was applied last, so that a field that is left out is noticed. */
  applied: 'aicity.io/applied',
  /**
   * On a Deployment whose number of replicas the autoscaler decides, or decided last: the floor that it had.
   * Without it spec.replicas decides.
   */
  autoscalingFloor: 'aicity.io/autoscaling-floor',
} as const;

/** Labels that select the pods of one service. */
export function selectorLabels(serviceName: string): Record<string, string> {
  return { [LABELS.managedBy]: MANAGER, [LABELS.service]: serviceName };
}
