/**
 * Everything that anybody may do because this operator is installed: the one list that the chart's roles, the
 * permission tests and the documentation come from. A call that the operator makes belongs here with its reason;
 * a line that no call needs is a fault.
 */
import { CITY_OBJECTS, CITY_ROLE_NAME } from '../crds/region.ts';

export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** To give a role to somebody without holding its rights; only ever for a role of ours, by name. */
  | 'bind';

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

/**
 * Who receives a grant. `aggregated`: everybody whom the cluster's own roles of that name are bound to. `perCity`: nobody
 * at first; the hub binds the role in the namespace of each city (plan/hub/joining.ts).
 */
export type Grantee =
  | { readonly kind: 'operator' }
  | { readonly kind: 'serviceAccount'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'aggregated'; readonly into: readonly ('admin' | 'edit' | 'view')[] }
  | { readonly kind: 'perCity' };

/** Parts of an installation that are off unless they are asked for, or can be turned off. */
export type Feature = 'metricsAdapter' | 'hub' | 'hubMetrics' | 'city';

export interface Grant {
  /** Name of the role and of its binding. */
  readonly name: string;
  readonly to: Grantee;
  /** `cluster`: in every namespace and for cluster-scoped kinds. `own`: in the operator's namespace only. */
  readonly scope: 'cluster' | 'own';
  /** Given only while that part of the installation is on. */
  readonly only?: Feature;
  readonly permissions: readonly Permission[];
}

/** A role that every cluster has, bound to the operator. */
export interface ExistingRole {
  readonly name: string;
  readonly role: string;
  readonly namespace: string;
  readonly only?: Feature;
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

/** What the operator may write in the namespaces of cities, and nowhere else. */
export const HUB_IN_CITY_ROLE_NAME = `${OPERATOR_NAME}-hub-in-city`;

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
  only: 'metricsAdapter',
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
  only: 'metricsAdapter',
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

const hub: Grant = {
  name: `${OPERATOR_NAME}-hub`,
  to: { kind: 'operator' },
  scope: 'cluster',
  only: 'hub',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['cityclusters', 'cityreports'],
      verbs: FOLLOW,
      why: 'The cities, and what they report.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['cityclusters'],
      verbs: ['create'],
      why: 'A ClusterProfile with the label aicity.io/join asks for a city.',
    },
    {
      apiGroup: 'multicluster.x-k8s.io',
      resources: ['clusterprofiles'],
      verbs: ['list', 'watch', 'create', 'patch'],
      why: 'Each city is published as one, where that API is installed.',
    },
    {
      apiGroup: 'multicluster.x-k8s.io',
      resources: ['clusterprofiles/status'],
      verbs: ['patch'],
      why: 'Whether the city is there, and what it has.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['cityclusters/status'],
      verbs: ['patch'],
      why: 'What is known of a city; what people wrote of it is never changed.',
    },
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      verbs: FOLLOW,
      why: 'The heartbeats of the cities, chosen by label.',
    },
    {
      apiGroup: '',
      resources: ['namespaces'],
      verbs: ['get', 'create'],
      why: 'Each city has a namespace; it belongs to the CityCluster and goes with it.',
    },
    {
      apiGroup: 'rbac.authorization.k8s.io',
      resources: ['rolebindings'],
      verbs: ['create'],
      why: 'In the namespace of a city, for the two roles that follow.',
    },
    {
      apiGroup: 'rbac.authorization.k8s.io',
      resources: ['clusterroles'],
      resourceNames: [CITY_ROLE_NAME, HUB_IN_CITY_ROLE_NAME],
      verbs: ['bind'],
      why: 'No other role can be given to anybody.',
    },
  ],
};

const hubInCity: Grant = {
  name: HUB_IN_CITY_ROLE_NAME,
  to: { kind: 'perCity' },
  scope: 'cluster',
  only: 'hub',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices'],
      verbs: ['create', 'patch', 'delete'],
      why: 'The shares of the city.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['cityreports'],
      verbs: ['create'],
      why: 'The empty report, which the city then fills.',
    },
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      verbs: ['create'],
      why: 'The heartbeat, which the city then renews.',
    },
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      resourceNames: [CITY_OBJECTS.lease],
      verbs: ['patch'],
      why: 'How often to renew it, and where other cities can be looked at.',
    },
    {
      apiGroup: '',
      resources: ['secrets'],
      verbs: ['create'],
      why: "The Secret that the cluster fills with the city's token; it is never read.",
    },
    {
      apiGroup: 'rbac.authorization.k8s.io',
      resources: ['rolebindings'],
      resourceNames: [CITY_ROLE_NAME],
      verbs: ['patch'],
      why: "The city's rights are put back when somebody has changed them.",
    },
  ],
};

/** All that a city may do on the hub, in its own namespace. */
const cityOnHub: Grant = {
  name: CITY_ROLE_NAME,
  to: { kind: 'perCity' },
  scope: 'cluster',
  only: 'hub',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices'],
      verbs: READ,
      why: 'What the city is to run.',
    },
    {
      apiGroup: 'aicity.io',
      resources: ['cityreports'],
      resourceNames: [CITY_OBJECTS.report],
      verbs: ['get', 'patch'],
      why: 'What the city runs and has.',
    },
    {
      apiGroup: 'coordination.k8s.io',
      resources: ['leases'],
      resourceNames: [CITY_OBJECTS.lease],
      verbs: ['get', 'patch', 'update'],
      why: 'That the city is there.',
    },
  ],
};

const hubViewers: Grant = {
  name: `${OPERATOR_NAME}-hub-view`,
  to: { kind: 'aggregated', into: ['admin', 'edit', 'view'] },
  scope: 'cluster',
  only: 'hub',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['cityclusters', 'cityclusters/status', 'cityreports'],
      verbs: READ,
      why: 'Whoever may look at the whole cluster may look at its cities.',
    },
  ],
};

const hubMetricsReader: Grant = {
  name: `${OPERATOR_NAME}-hub-metrics-reader`,
  to: { kind: 'serviceAccount', namespace: 'kube-system', name: 'horizontal-pod-autoscaler' },
  scope: 'cluster',
  only: 'hubMetrics',
  permissions: [
    {
      apiGroup: 'custom.metrics.k8s.io',
      resources: [
        'modelservices.aicity.io/aicity_load',
        'modelservices.aicity.io/aicity_queue_time_milliseconds',
      ],
      verbs: ['get'],
      why: 'A HorizontalPodAutoscaler of a placed service reads the load of all its cities.',
    },
  ],
};

const city: Grant = {
  name: `${OPERATOR_NAME}-city`,
  to: { kind: 'operator' },
  scope: 'cluster',
  only: 'city',
  permissions: [
    {
      apiGroup: 'aicity.io',
      resources: ['modelservices'],
      verbs: ['get', 'create', 'patch', 'delete'],
      why: 'The services that the hub gives to this city.',
    },
    {
      apiGroup: '',
      resources: ['namespaces'],
      verbs: ['create'],
      why: 'A service has the namespace here that it has on the hub.',
    },
    {
      apiGroup: '',
      resources: ['namespaces'],
      resourceNames: ['kube-system'],
      verbs: ['get'],
      why: 'Its UID tells one cluster from another that reports under the same name.',
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
  hub,
  hubInCity,
  cityOnHub,
  hubViewers,
  hubMetricsReader,
  city,
];

export const EXISTING_ROLES: readonly ExistingRole[] = [
  {
    name: `${OPERATOR_NAME}-authentication-reader`,
    role: 'extension-apiserver-authentication-reader',
    namespace: 'kube-system',
    only: 'metricsAdapter',
    why: 'The certificate authority by which the API server proves whose requests it passes on.',
  },
];
