/** Pods that the API server does not let the Deployment create. */
import { ofReplicas, quoted } from '../wording.ts';
import type { Check } from './finding.ts';

const QUOTA = /exceeded quota|must specify|limitrange|(maximum|minimum) .* usage per/i;

export const podsRefused: Check = ({ deployment, replicas, wanted }) => {
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
    : { about: 'Scheduling', reason: 'PodsRefused', message: `${cannot}: ${words}` };
};
