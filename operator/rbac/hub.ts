/** What a hub may do, and what it lets others do: the cities, each in its own namespace on the hub, and people. */
import { CITY_OBJECTS, CITY_ROLE_NAME } from '../../crds/region.ts';
import { HUB_IN_CITY_ROLE_NAME, OPERATOR_NAME } from './names.ts';
import { FOLLOW, type Grant, OWN, READ } from './permission.ts';

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
      apiGroup: 'gateway.networking.k8s.io',
      resources: ['httproutes'],
      verbs: OWN,
      why: 'spec.placement.route, where the Gateway API is installed.',
    },
    {
      apiGroup: 'discovery.k8s.io',
      resources: ['endpointslices'],
      verbs: OWN,
      why: 'Behind the Services of a route are addresses of cities, which no selector finds.',
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

export const HUB_GRANTS: readonly Grant[] = [hub, hubInCity, cityOnHub, hubViewers, hubMetricsReader];
