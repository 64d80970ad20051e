import { type Finding, outranksReplicas } from '../explain/finding.ts';
import type { Situation } from '../situation.ts';
import { replicaCount } from '../wording.ts';
import type { Judge, Verdict } from './verdict.ts';

/** Have enough replicas answered an inference of the wanted model? If not, why not? */
export const ready: Judge = (situation, findings) => {
  const { guaranteed, ready: verified, replicas, wanted } = situation;
  const [deepest] = findings;
  const overruling = findings.find(outranksReplicas);
  if (overruling) return { status: 'False', ...reasonOf(overruling) };
  if (verified < guaranteed) return notReady(situation, deepest);
  if (wanted === 0) {
    return { status: 'True', reason: 'ScaledToZero', message: 'no replica is wanted: spec.replicas is 0' };
  }
  const problem = verified < wanted && deepest ? `; ${deepest.message}` : '';
  const all = verified >= wanted ? `${verified}` : `${verified} of ${Math.max(wanted, replicas.length)}`;
  const message = `${all} ${verified === 1 && verified >= wanted ? 'replica serves' : 'replicas serve'} the wanted model${problem}`;
  return { status: 'True', reason: 'Serving', message };
};

function notReady(
  { guaranteed, observed, ready: verified, replicas, unheard }: Situation,
  deepest: Finding | undefined,
): Verdict {
  if (!deepest) {
    const message = `${verified} of ${replicaCount(guaranteed)} have answered an inference of the wanted model`;
    return { status: 'False', reason: 'Progressing', message };
  }
  const lost = replicas.filter(({ voice }) => voice === 'Lost').length;
  const unknown = lost + (observed.reportsSettled ? 0 : unheard);
  const isUnknown = deepest.reason === 'ReplicasUnknown' && verified + unknown >= guaranteed;
  return { status: isUnknown ? 'Unknown' : 'False', ...reasonOf(deepest) };
}

const reasonOf = ({ reason, message }: Finding) => ({ reason, message });
