/**
 * Everything that anybody may do because this operator is installed: the one list that the chart's roles, the
 * permission tests and the documentation come from. A call that the operator makes belongs here with its reason;
 * a line that no call needs is a fault.
 */

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface Permission {
  /** Empty for the core group. */
  readonly apiGroup: string;
  /** `plural` or `plural/subresource`. */
  readonly resources: readonly string[];
  readonly verbs: readonly Verb[];
  /** Only objects of these names. `create`, `list` and `watch` cannot be limited by name. */
  readonly resourceNames?: readonly string[];
  readonly why: string;
}

/** Who receives a grant. `aggregated…`: everybody whom the cluster's own roles of that name are bound to. */
export type Grantee =
  | { readonly kind: 'operator' }
  | { readonly kind: 'serviceAccount'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'aggregated'; readonly into: readonly ('admin' | 'edit' | 'view')[] };

export interface Grant {
  /** Name of the role and of its binding. */
  readonly name: string;
  readonly to: Grantee;
  /** `cluster`: in every namespace and for cluster-scoped kinds. `own`: in the operator's namespace only. */
  readonly scope: 'cluster' | 'own';
  /** Given only while the metrics adapter is turned on. */
  readonly withMetricsAdapter?: true;
  readonly permissions: readonly Permission[];
}

/** A role that every cluster has, bound to the operator. */
export interface ExistingRole {
  readonly name: string;
  readonly role: string;
  readonly namespace: string;
  readonly withMetricsAdapter?: true;
  readonly why: string;
}

/** One operator per cluster, so its objects have fixed names. */
export const OPERATOR_NAME = 'aicity-operator';
export const LEASE_NAME = OPERATOR_NAME;
export const TLS_SECRET_NAME = `${OPERATOR_NAME}-tls`;
export const ENDPOINT_SLICE_NAME = `${OPERATOR_NAME}-leader`;
/** It owns the APIServices, so that they go when the adapter is turned off or uninstalled. */
export const METRICS_ADAPTER_ROLE_NAME = `${OPERATOR_NAME}-metrics-adapter`;
export const API_SERVICE_NAMES = ['v1beta1.custom.metrics.k8s.io', 'v1beta2.custom.metrics.k8s.io'] as const;

/** A local copy is kept; single objects are not asked for. */
const FOLLOW: readonly Verb[] = ['list', 'watch'];
const READ: readonly Verb[] = ['get', 'list', 'watch'];
const OWN: readonly Verb[] = ['get', 'list', 'watch', 'create', 'patch', 'delete'];

const child = (apiGroup: string, resources: string[], why: string): Permission => ({
  apiGroup,
  resources,
  verbs: OWN,
  why,
});

const everywhere: Grant = {
  name: OPERATOR_NAME,
  to: { kind: 'operator' },
  scope: 'cluster',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices'],
      verbs: FOLLOW,
      why: 'The services to run.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices/status'],
      verbs: ['patch'],
      why: 'Status is applied; the spec is never written.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices/finalizers'],
      verbs: ['update'],
      why: 'Owner references of the children block the deletion of their owner, which some clusters check.',
    },
    child('apps', ['deployments'], 'The model-server pods of a service.'),
    child('autoscaling', ['horizontalpodautoscalers'], 'spec.autoscaling.'),
    child('', ['services', 'serviceaccounts', 'configmaps'], 'Address, identity and model of the pods.'),
    child('policy', ['poddisruptionbudgets'], 'Node drains take one replica at a time.'),
    child('networking.k8s.io', ['networkpolicies'], 'Who may talk to the pods, and to whom they may talk.'),
    {
      apiGroup: '',
      resources: ['pods'],
      verbs: FOLLOW,
      why: 'Why a replica is not ready, and which pod a report comes from.',
    },
    {
      apiGroup: '',
      resources: ['nodes'],
      verbs: FOLLOW,
      why: 'Free GPUs, to choose a rollout that cannot block itself.',
    },
    {
      apiGroup: 'events.k8s.io',
      resources: ['events'],
      verbs: ['create', 'patch'],
      why: 'Notes for `kubectl describe`.',
    },
    {
      apiGroup: 'authentication.k8s.io',
      resources: ['tokenreviews'],
      verbs: ['create'],
      why: 'Whether a load report comes from the pod that it names.',
    },
  ],
};

const ownNamespace: Grant = {
  name: OPERATOR_NAME,
  to: { kind: 'operator' },
  scope: 'own',
  permissions: [
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      verbs: ['create'],
      why: 'One of the replicas leads.',
    },
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      resourceNames: [LEASE_NAME],
      verbs: ['get', 'update'],
      why: 'The leader renews its lease; the others look whether it does.',
    },
    {
      apiGroup: '',
      resources: ['secrets'],
      verbs: ['create'],
      why: 'The certificates are made on the first start.',
    },
    {
      apiGroup: '',
      resources: ['secrets'],
      resourceNames: [TLS_SECRET_NAME],
      verbs: ['get', 'update'],
      why: 'The leader renews its own certificates and reads no other Secret.',
    },
    {
      apiGroup: 'discovery.k8s.io',
      resources: ['endpointslices'],
      verbs: ['create'],
      why: 'The leader points the Service, which has no selector, at itself.',
    },
    {
      apiGroup: 'discovery.k8s.io',
      resources: ['endpointslices'],
      resourceNames: [ENDPOINT_SLICE_NAME],
      verbs: ['get', 'patch'],
      why: 'The same, when the slice is there already.',
    },
    {
      apiGroup: 'discovery.k8s.io',
      resources: ['endpointslices/restricted'],
      verbs: ['create'],
      why: 'OpenShift asks for it when an EndpointSlice names a pod; other clusters have no such subresource.',
    },
  ],
};

const metricsAdapter: Grant = {
  name: METRICS_ADAPTER_ROLE_NAME,
  to: { kind: 'operator' },
  scope: 'cluster',
  withMetricsAdapter: true,
  permissions: [
    {
      apiGroup: 'apiregistration.k8s.io',
      resources: ['apiservices'],
      verbs: ['create'],
      why: 'The operator serves custom.metrics.k8s.io unless another adapter does.',
    },
    {
      apiGroup: 'apiregistration.k8s.io',
      resources: ['apiservices'],
      resourceNames: API_SERVICE_NAMES,
      verbs: ['get', 'patch', 'delete'],
      why: 'Who owns the group; the certificate authority changes when it is renewed.',
    },
    {
      apiGroup: 'rbac.authorization.k8s.io',
      resources: ['clusterroles'],
      resourceNames: [METRICS_ADAPTER_ROLE_NAME],
      verbs: ['get'],
      why: 'This role owns the APIServices, so that they are removed with it.',
    },
    {
      apiGroup: 'authorization.k8s.io',
      resources: ['subjectaccessreviews'],
      verbs: ['create'],
      why: 'Whether the one who asks for a metric may read it.',
    },
  ],
};

const metricsReader: Grant = {
  name: `${OPERATOR_NAME}-metrics-reader`,
  to: { kind: 'serviceAccount', namespace: 'kube-system', name: 'horizontal-pod-autoscaler' },
  scope: 'cluster',
  withMetricsAdapter: true,
  permissions: [
    {
      apiGroup: 'custom.metrics.k8s.io',
      resources: ['pods/aicity_load', 'pods/aicity_queue_time_milliseconds'],
      verbs: ['get'],
      why: 'The HorizontalPodAutoscaler controller reads the reported load.',
    },
  ],
};

const editors: Grant = {
  name: `${OPERATOR_NAME}-edit`,
  to: { kind: 'aggregated', into: ['admin', 'edit'] },
  scope: 'cluster',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices'],
      verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
      why: 'Whoever may edit a namespace may run models in it.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices/scale'],
      verbs: ['update', 'patch'],
      why: 'The same, for kubectl scale.',
    },
  ],
};

const viewers: Grant = {
  name: `${OPERATOR_NAME}-view`,
  to: { kind: 'aggregated', into: ['admin', 'edit', 'view'] },
  scope: 'cluster',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices', 'modelservices/scale', 'modelservices/status'],
      verbs: READ,
      why: 'Whoever may look at a namespace may look at its models.',
    },
  ],
};

export const GRANTS: readonly Grant[] = [
  everywhere,
  ownNamespace,
  metricsAdapter,
  metricsReader,
  editors,
  viewers,
];

export const EXISTING_ROLES: readonly ExistingRole[] = [
  {
    name: `${OPERATOR_NAME}-authentication-reader`,
    role: 'extension-apiserver-authentication-reader',
    namespace: 'kube-system',
    withMetricsAdapter: true,
    why: 'The certificate authority by which the API server proves whose requests it passes on.',
  },
];
