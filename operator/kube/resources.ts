/** The kinds that the operator reads or writes, and where the API server keeps them. */

export interface Resource {
  /** `group/version`, or `v1` for the core group. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The name in the URL. */
  readonly plural: string;
  readonly namespaced: boolean;
}

const namespaced = (apiVersion: string, kind: string, plural: string): Resource =>
  Object.freeze({ apiVersion, kind, plural, namespaced: true });
const clusterScoped = (apiVersion: string, kind: string, plural: string): Resource =>
  Object.freeze({ apiVersion, kind, plural, namespaced: false });

export const resources = {
  ModelService: namespaced('aicity.io/v1alpha1', 'ModelService', 'modelservices'),
  CityCluster: clusterScoped('aicity.io/v1alpha1', 'CityCluster', 'cityclusters'),
  CityReport: namespaced('aicity.io/v1alpha1', 'CityReport', 'cityreports'),

  ConfigMap: namespaced('v1', 'ConfigMap', 'configmaps'),
  Namespace: clusterScoped('v1', 'Namespace', 'namespaces'),
  Node: clusterScoped('v1', 'Node', 'nodes'),
  PersistentVolumeClaim: namespaced('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  Pod: namespaced('v1', 'Pod', 'pods'),
  Secret: namespaced('v1', 'Secret', 'secrets'),
  Service: namespaced('v1', 'Service', 'services'),
  ServiceAccount: namespaced('v1', 'ServiceAccount', 'serviceaccounts'),

  Deployment: namespaced('apps/v1', 'Deployment', 'deployments'),
  HorizontalPodAutoscaler: namespaced(
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    'horizontalpodautoscalers',
  ),
  PodDisruptionBudget: namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  NetworkPolicy: namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  EndpointSlice: namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  Lease: namespaced('coordination.k8s.io/v1', 'Lease', 'leases'),
  Event: namespaced('events.k8s.io/v1', 'Event', 'events'),

  ClusterProfile: namespaced('multicluster.x-k8s.io/v1alpha1', 'ClusterProfile', 'clusterprofiles'),
  ServiceExport: namespaced('multicluster.x-k8s.io/v1beta1', 'ServiceExport', 'serviceexports'),
  HTTPRoute: namespaced('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  RoleBinding: namespaced('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),

  APIService: clusterScoped('apiregistration.k8s.io/v1', 'APIService', 'apiservices'),
  CustomResourceDefinition: clusterScoped(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
  ),
  TokenReview: clusterScoped('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews'),
  SubjectAccessReview: clusterScoped(
    'authorization.k8s.io/v1',
    'SubjectAccessReview',
    'subjectaccessreviews',
  ),
} as const satisfies Record<string, Resource>;

/**
 * The URL path of a collection, or of one object, or of an object's subresource.
 * An empty namespace of a namespaced kind means "in all namespaces" and is valid for lists only.
 *
 * @throws TypeError when an object of a namespaced kind is named without its namespace
 */
export function resourcePath(
  resource: Resource,
  {
    namespace = '',
    name = '',
    subresource = '',
  }: { namespace?: string | undefined; name?: string; subresource?: string },
): string {
  if (resource.namespaced && name !== '' && namespace === '') {
    throw new TypeError(
      `${resource.kind} "${name}" is named without a namespace, but ${resource.kind} is namespaced`,
    );
  }
  const root = resource.apiVersion.includes('/') ? '/apis' : '/api';
  const within = resource.namespaced && namespace !== '' ? ['namespaces', namespace] : [];
  const one = name === '' ? [] : [name, ...(subresource === '' ? [] : [subresource])];
  const segments = [...within, resource.plural, ...one].map(encodeURIComponent);
  return `${root}/${resource.apiVersion}/${segments.join('/')}`;
}
