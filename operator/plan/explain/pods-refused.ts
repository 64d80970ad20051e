/** Pods that the API server does not let the Deployment create. */
import type { ModelService } from '../../../crds/model-service.ts';
import { ofReplicas, quoted } from '../wording.ts';
import type { Check } from './finding.ts';

const QUOTA = /exceeded quota|must specify|limitrange|(maximum|minimum) .* usage per/i;

export const podsRefused: Check = ({ deployment, replicas, service, wanted }) => {
  const failure = deployment?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  if (failure?.status !== 'True') return undefined;
  const missing = Math.max(1, wanted - replicas.length);
  const words = quoted(failure.message, failure.reason);
  const cannot = ofReplicas(missing, wanted, 'cannot be created', 'cannot be created');
  return QUOTA.test(words)
    ? {
        about: 'Scheduling',
        reason: 'QuotaExceeded',
        message: `${cannot}: ${words}; raise the quota of the namespace or lower spec.replicas or spec.resources`,
      }
    : {
        about: 'Scheduling',
        reason: 'PodsRefused',
        message: `${cannot}: ${words}; ${remedyFor(words, service)}`,
      };
};

/** The API server names the object that it misses, and not the field that asks for it. */
function remedyFor(words: string, { spec }: ModelService): string {
  const { serviceAccountName, priorityClassName } = spec.podTemplate ?? {};
  if (serviceAccountName !== undefined && /serviceaccount .*not found/i.test(words)) {
    return `create the ServiceAccount, or correct spec.podTemplate.serviceAccountName, which is ${serviceAccountName}`;
  }
  if (priorityClassName !== undefined && /PriorityClass/.test(words)) {
    return `create the PriorityClass, or correct spec.podTemplate.priorityClassName, which is ${priorityClassName}`;
  }
  return 'check spec.podTemplate and what the namespace and its admission webhooks allow';
}
