/** Names of the objects that a service consists of. They follow from its name alone. */
import type { ModelService } from '../../crds/model-service.ts';
import type { ChildKind } from './target.ts';

export const API_VERSIONS: Readonly<Record<ChildKind, string>> = {
  ConfigMap: 'v1',
  ServiceAccount: 'v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  Service: 'v1',
  Deployment: 'apps/v1',
  PodDisruptionBudget: 'policy/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
};

export function childName({ metadata }: Pick<ModelService, 'metadata'>, kind: ChildKind): string {
  return kind === 'ConfigMap' || kind === 'ServiceAccount' ? `${metadata.name}-model` : metadata.name;
}

/** The ServiceAccount that the pods run as: the user's own, or the one that is made. */
export function serviceAccountName(service: ModelService): string {
  return service.spec.podTemplate?.serviceAccountName ?? childName(service, 'ServiceAccount');
}

/** Address of the service inside the cluster. */
export function serviceUrl({ metadata }: Pick<ModelService, 'metadata'>): string {
  return `http://${metadata.name}.${metadata.namespace}.svc`;
}
