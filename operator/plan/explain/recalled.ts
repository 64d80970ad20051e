/**
 * What the replicas had said before this operator took over. For the first seconds nothing follows from their silence,
 * so that what status says of the model stands until they are heard again: a change of leader is no news.
 */
import type { ConditionType, Reason, ServiceCondition } from '../../../crds/conditions.ts';
import type { Situation } from '../situation.ts';
import type { Check, Finding } from './finding.ts';

/** A check of reports that keeps to the words of status while they are not contradicted. */
export function recalling(check: Check, reasons: readonly Reason[]): Check {
  return (situation) => {
    const [found, said] = [check(situation), recalled(situation, reasons)];
    return said && (!found || found.reason === said.reason) ? said : found;
  };
}

/** Conditions that tell a finding, the one that is about the model alone before those that tell the deepest. */
const SAID_IN: readonly [ConditionType, (condition: ServiceCondition) => boolean][] = [
  ['ModelAvailable', ({ status }) => status !== 'True'],
  ['Stalled', ({ status }) => status === 'True'],
  ['Reconciling', ({ status }) => status === 'True'],
];

function recalled(situation: Situation, reasons: readonly Reason[]): Finding | undefined {
  if (!isAsItWas(situation)) return undefined;
  const said = SAID_IN.map(([type, isTold]) =>
    situation.service.status?.conditions?.find(
      (condition) => condition.type === type && isTold(condition) && reasons.includes(condition.reason),
    ),
  ).find((condition) => condition !== undefined);
  return said && { about: 'Model', reason: said.reason, message: said.message };
}

/** Somebody has not been heard yet, and all that can be seen without reports is as it was. */
function isAsItWas({ observed, ready, replicas, revision, service, unheard }: Situation): boolean {
  const { metadata, status } = service;
  return (
    !observed.reportsSettled &&
    unheard > 0 &&
    status?.observedGeneration === metadata.generation &&
    status?.model?.revision === revision &&
    status?.replicas === replicas.length &&
    (status?.readyReplicas ?? 0) === ready
  );
}
