/** A condition without its bookkeeping: what `status.ts` dates and numbers. */
import type { Reason, ServiceCondition } from '../../../crds/conditions.ts';
import type { Finding } from '../explain/finding.ts';
import type { Situation } from '../situation.ts';

export type Verdict = Pick<ServiceCondition, 'status' | 'message'> & { readonly reason: Reason };

/** Judges one condition. `findings` are those of `explain`, the deepest cause first. */
export type Judge = (situation: Situation, findings: readonly Finding[]) => Verdict;
