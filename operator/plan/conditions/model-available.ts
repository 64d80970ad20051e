import { replicaCount } from '../wording.ts';
import type { Judge } from './verdict.ts';

/** Was the wanted model fetched, loaded and asked? */
export const modelAvailable: Judge = ({ ready, replicas, wanted }, findings) => {
  const about = findings.find((finding) => finding.about === 'Model');
  if (about && about.reason !== 'ModelLoading' && about.reason !== 'ReplicasUnknown') {
    return { status: 'False', reason: about.reason, message: about.message };
  }
  if (ready > 0) {
    const message = `the wanted model has answered an inference on ${replicaCount(ready)}`;
    return { status: 'True', reason: 'ModelVerified', message };
  }
  if (wanted === 0) {
    return { status: 'Unknown', reason: 'ScaledToZero', message: 'no replica is there to load the model' };
  }
  if (about) return { status: 'Unknown', reason: about.reason, message: about.message };
  const heard = replicas.some(({ report }) => report !== undefined);
  return heard
    ? { status: 'Unknown', reason: 'ModelLoading', message: 'no replica has loaded the wanted model yet' }
    : { status: 'Unknown', reason: 'NoReports', message: 'no replica has reported yet' };
};
