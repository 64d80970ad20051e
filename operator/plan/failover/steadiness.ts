/**
 * Damping: a city that keeps going and coming is not given anything that has another place. Each loss doubles the time
 * that it must stay before it is a place like any other; quiet time halves the count.
 */
import type { FailoverSettings } from './rhythm.ts';

export interface Steadiness {
  readonly isAbsent: boolean;
  /** Back, and not for long enough yet. */
  readonly isSettling: boolean;
  /** At `changedAtMs`; it has been halved since. */
  readonly losses: number;
  /** When the city last went or came. */
  readonly changedAtMs: number;
}

export const ALWAYS_THERE: Steadiness = { isAbsent: false, isSettling: false, losses: 0, changedAtMs: 0 };

type Damping = Pick<FailoverSettings, 'settleMs' | 'longestSettleMs' | 'forgetMs'>;

/** The same object when the city neither went nor came nor settled. */
export function notice(before: Steadiness, isAbsent: boolean, nowMs: number, damping: Damping): Steadiness {
  if (isAbsent !== before.isAbsent) {
    const losses = recentLosses(before, nowMs, damping) + (isAbsent ? 1 : 0);
    return { isAbsent, isSettling: !isAbsent, losses, changedAtMs: nowMs };
  }
  const hasSettled = before.isSettling && nowMs >= settledAtMs(before, damping);
  return hasSettled ? { ...before, isSettling: false } : before;
}

export function recentLosses(
  { isAbsent, losses, changedAtMs }: Steadiness,
  nowMs: number,
  { forgetMs }: Pick<Damping, 'forgetMs'>,
): number {
  const quiet = isAbsent ? 0 : Math.floor((nowMs - changedAtMs) / forgetMs);
  return Math.floor(losses / 2 ** quiet);
}

/** When a city that has come back is a place like any other. */
function settledAtMs(
  { losses, changedAtMs }: Steadiness,
  { settleMs, longestSettleMs }: Pick<Damping, 'settleMs' | 'longestSettleMs'>,
): number {
  if (losses === 0) return changedAtMs;
  return changedAtMs + Math.min(longestSettleMs, settleMs * 2 ** (losses - 1));
}
