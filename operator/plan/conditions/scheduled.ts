import { replicaCount } from '../wording.ts';
import type { Judge } from './verdict.ts';

/** Has every wanted pod a node? */
export const scheduled: Judge = ({ replicas, wanted }, findings) => {
  const about = findings.find((finding) => finding.about === 'Scheduling');
  if (about) return { status: 'False', reason: about.reason, message: about.message };
  if (wanted === 0) return { status: 'True', reason: 'ScaledToZero', message: 'no replica is wanted' };
  const placed = replicas.filter(({ pod }) => pod.spec?.nodeName).length;
  if (placed >= wanted && placed === replicas.length) {
    return {
      status: 'True',
      reason: 'AllScheduled',
      message: `${replicaCount(placed)} ${placed === 1 ? 'has' : 'have'} a node`,
    };
  }
  return {
    status: 'Unknown',
    reason: 'PodsStarting',
    message: `${placed} of ${replicaCount(Math.max(wanted, replicas.length))} ${placed === 1 ? 'has' : 'have'} a node`,
  };
};
