/** `Reconciling` and `Stalled`, as kstatus reads them: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md */
import { type Finding, needsAPerson } from '../explain/finding.ts';
import type { Situation } from '../situation.ts';
import type { Judge, Verdict } from './verdict.ts';

export const stalled: Judge = (_situation, findings) => {
  const stopper = findings.find(needsAPerson);
  return stopper
    ? { status: 'True', reason: stopper.reason, message: stopper.message }
    : { status: 'False', reason: 'UpToDate', message: 'nothing needs a person' };
};

export const reconciling: Judge = (situation, findings) => {
  if (findings.some(needsAPerson)) {
    return { status: 'False', reason: 'UpToDate', message: 'nothing more can be done without a person' };
  }
  return work(situation, findings[0]) ?? { status: 'False', reason: 'UpToDate', message: 'all is as wanted' };
};

/** What is still going on. */
function work(
  { ready, replicas, target, wanted }: Situation,
  deepest: Finding | undefined,
): Verdict | undefined {
  if (deepest) return { status: 'True', reason: deepest.reason, message: deepest.message };
  const { because, kind } = target.rollout;
  if (kind === 'Surging') {
    return { status: 'True', reason: 'RolloutSurging', message: `new pods replace the old ones: ${because}` };
  }
  if (kind === 'InPlace') {
    return { status: 'True', reason: 'RolloutInPlace', message: `pods are replaced one by one: ${because}` };
  }
  if (ready < wanted || replicas.length !== wanted) {
    return {
      status: 'True',
      reason: 'Progressing',
      message: `${replicas.length} pods exist, ${wanted} are wanted`,
    };
  }
  return undefined;
}
