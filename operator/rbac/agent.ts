/** What a city of a region may do at home beyond what every installation may: to mirror what its hub gives it. */
import { OPERATOR_NAME } from './names.ts';
import type { Grant } from './permission.ts';

const agent: Grant = {
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
      apiGroup: 'multicluster.x-k8s.io',
      resources: ['serviceexports'],
      verbs: ['list', 'watch', 'create'],
      why: 'Services from the hub are exported to the cluster set, where that API is installed.',
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

export const AGENT_GRANTS: readonly Grant[] = [agent];
