/** What is wrong or still going on, found by one check. */
import type { Reason } from '../../../crds/conditions.ts';
import type { Situation } from '../situation.ts';

export interface Finding {
  readonly reason: Reason;
  /** A sentence without full stop: what is wrong, where, and what would help. */
  readonly message: string;
  /** What the finding is about; conditions pick theirs by it. */
  readonly about: 'Objects' | 'Pods' | 'Scheduling' | 'Model';
}

/** Looks at one possible cause. Pure; the same situation gives the same finding. */
export type Check = (situation: Situation) => Finding | undefined;

/** Reasons after which nothing will get better by itself. */
const NEEDS_A_PERSON: ReadonlySet<Reason> = new Set<Reason>([
  'InvalidSpec',
  'NameConflict',
  'ContainerConfigInvalid',
  'SourceNotFound',
  'AccessDenied',
  'DigestMismatch',
  'SignatureMissing',
  'SignatureInvalid',
  'FormatUnknown',
  'VersionNotFound',
  'ModelInvalid',
  'WarmUpFailed',
]);

export function needsAPerson({ reason }: Finding): boolean {
  return NEEDS_A_PERSON.has(reason);
}

/** Findings that make the service not ready however many replicas answer: what they serve is not what was asked for. */
export function outranksReplicas({ about, reason }: Finding): boolean {
  return about === 'Objects' && needsAPerson({ about, reason, message: '' });
}
