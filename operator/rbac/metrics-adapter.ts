/** What it takes to serve the metrics of pods to the cluster's own HorizontalPodAutoscalers. */
import { API_SERVICE_NAMES, METRICS_ADAPTER_ROLE_NAME, OPERATOR_NAME } from './names.ts';
import type { ExistingRole, Grant } from './permission.ts';

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

export const METRICS_ADAPTER_GRANTS: readonly Grant[] = [metricsAdapter, metricsReader];

export const METRICS_ADAPTER_ROLES: readonly ExistingRole[] = [
  {
    name: `${OPERATOR_NAME}-authentication-reader`,
    role: 'extension-apiserver-authentication-reader',
    namespace: 'kube-system',
    only: 'metricsAdapter',
    why: 'The certificate authority by which the API server proves whose requests it passes on.',
  },
];
