/** What is worth a Kubernetes event: a condition that people wait for has got another reason. */
import type { ConditionType, Reason, ServiceCondition } from '../../crds/conditions.ts';
import type { ModelServiceStatus } from '../../crds/model-service.ts';

export interface Note {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
}

const TOLD: readonly ConditionType[] = ['Ready', 'Scaled', 'RolledOut', 'Placed', 'Routed'];

/** Reasons of a condition that is not true although nothing is wrong. */
const HARMLESS: ReadonlySet<Reason> = new Set<Reason>([
  'Progressing',
  'PodsStarting',
  'ModelLoading',
  'NoReports',
  'ReplicasDraining',
  'RolloutSurging',
  'RolloutInPlace',
  'Moving',
  'CitiesNotHeard',
  'NothingReady',
]);

/** Notes for what differs between two statuses, in the order of the conditions. */
export function notesFor(before: ModelServiceStatus | undefined, after: ModelServiceStatus): Note[] {
  return TOLD.flatMap((type) => {
    const [was, is] = [find(before, type), find(after, type)];
    if (!is || (was?.status === is.status && was.reason === is.reason)) return [];
    // Of the others only what differs from a known state is news, not what a new service begins with.
    const isNews = type === 'Ready' || (was !== undefined && was.status !== 'Unknown') || isTrouble(is);
    return isNews ? [noteOf(is)] : [];
  });
}

function noteOf(condition: ServiceCondition): Note {
  const { reason, message } = condition;
  return { type: isTrouble(condition) ? 'Warning' : 'Normal', reason, note: message };
}

function isTrouble({ status, reason }: ServiceCondition): boolean {
  return status !== 'True' && !HARMLESS.has(reason);
}

function find(status: ModelServiceStatus | undefined, type: ConditionType): ServiceCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
