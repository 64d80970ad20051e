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
} as const;

/** Labels that select the pods of one service. */
export function selectorLabels(serviceName: string): Record<string, string> {
  return { [LABELS.managedBy]: MANAGER, [LABELS.service]: serviceName };
}
