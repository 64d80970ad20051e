/**
 * What every installation may do, and who may use it: models run in the cluster where the operator is, be that a city of
 * a region or a cluster alone.
 */
import { ENDPOINT_SLICE_NAME, LEASE_NAME, OPERATOR_NAME, TLS_SECRET_NAME } from './names.ts';
import { FOLLOW, type Grant, OWN, type Permission, READ } from './permission.ts';

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

export const CITY_LEVEL_GRANTS: readonly Grant[] = [everywhere, ownNamespace, editors, viewers];
