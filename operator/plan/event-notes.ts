/** What is worth a Kubernetes event: a condition that people wait for has got another reason. */
import type { ConditionType, Reason, ServiceCondition } from '../../crds/conditions.ts';
import type { ModelServiceStatus } from '../../crds/model-service.ts';

export interface Note {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
}

const TOLD: readonly ConditionType[] = ['Ready', 'Scaled', 'RolledOut'];

/** Reasons of a condition that is not true although nothing is wrong. */
const HARMLESS: ReadonlySet<Reason> = new Set<Reason>([
  'Progressing',
  'PodsStarting',
  'ModelLoading',
  'NoReports',
  'ReplicasDraining',
  'RolloutSurging',
  'RolloutInPlace',
]);

/** Notes for what differs between two statuses, in the order of the conditions. */
export function notesFor(before: ModelServiceStatus | undefined, after: ModelServiceStatus): Note[] {
  return TOLD.flatMap((type) => {
    const [was, is] = [find(before, type), find(after, type)];
    if (!is || (was?.status === is.status && was.reason === is.reason)) return [];
    const isNews = was !== undefined || type === 'Ready';
    return isNews ? [noteOf(is)] : [];
  });
}

function noteOf({ status, reason, message }: ServiceCondition): Note {
  const isWell = status === 'True' || HARMLESS.has(reason);
  return { type: isWell ? 'Normal' : 'Warning', reason, note: message };
}

function find(status: ModelServiceStatus | undefined, type: ConditionType): ServiceCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
