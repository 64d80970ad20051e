/** Which grants a city obeys. What is obeyed stands in the mirrored ModelService too (mirror.ts). */
import { type Grant, judgeGrant } from '../failover/claim.ts';

/** `None`: nothing is offered; a grant that is missing is no instruction. */
export type Verdict = ReturnType<typeof judgeGrant> | 'None';

export function verdictOn(
  obeyed: Pick<Grant, 'epoch'> | undefined,
  offered: Grant | undefined,
  session: string,
): Verdict {
  return offered ? judgeGrant(obeyed?.epoch ?? 0, offered, session) : 'None';
}

/** Nothing may run any more. */
export function isWithdrawn({ ceiling }: Pick<Grant, 'ceiling'>): boolean {
  return ceiling === 0;
}
