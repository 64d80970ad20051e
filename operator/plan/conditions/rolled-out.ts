import type { Finding } from '../explain/finding.ts';
import type { Situation } from '../situation.ts';
import { replicaCount } from '../wording.ts';
import type { Judge } from './verdict.ts';

/** Does every pod run the wanted template? */
export const rolledOut: Judge = (situation, findings) => {
  const { deployment, replicas, target } = situation;
  const updated = replicas.filter((replica) => replica.updated).length;
  const progress = `${updated} of ${replicas.length} pods run the wanted template`;
  switch (target.rollout.kind) {
    case 'Settled':
      return deployment
        ? {
            status: 'True',
            reason: 'UpToDate',
            message: `${replicaCount(updated)} ${updated === 1 ? 'runs' : 'run'} the wanted template`,
          }
        : { status: 'Unknown', reason: 'Progressing', message: 'there is no Deployment yet' };
    case 'Held':
      return {
        status: 'False',
        reason: 'RolloutHeld',
        message: `${progress}; the others stay, since spec.rollout.strategy is Reload: set it to Auto to replace them`,
      };
    case 'Surging':
      return {
        status: 'False',
        reason: 'RolloutSurging',
        message: `${progress}; ${how(situation, findings)}`,
      };
    case 'InPlace':
      return {
        status: 'False',
        reason: 'RolloutInPlace',
        message: `${progress}; ${how(situation, findings)}`,
      };
  }
};

/** What holds the new pods up is more than how they come. */
function how({ target }: Situation, findings: readonly Finding[]): string {
  const obstacle = findings.find(({ about, reason }) => about !== 'Model' && reason !== 'PodsStarting');
  if (obstacle) return obstacle.message;
  const { because, kind, rollingUpdate } = target.rollout;
  return kind === 'Surging'
    ? `new pods start beside the old ones, ${rollingUpdate.maxSurge} at a time (${because})`
    : `pods are replaced one by one (${because})`;
}
