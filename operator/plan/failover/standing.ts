/**
 * How one city stands towards one service, as the hub sees it.
 *
 *   Serving ──late──► Suspect ──grace over──► Confirming ──confirmed, its turn──► Moving ──replaced──► Moved
 *      ▲                 │ heard                  │ heard                            │ reported           │ reported
 *      │◄────────────────┴────────────────────────┘                                  ▼                    ▼
 *      └──────────────────────────────── fenced ───────────────────────────────── Returning ◄─────────────┘
 *                                                                                    └──late──► Suspect
 *
 * At least two looks lie between Serving and Moving; where the grace is over and nothing else is missing, a city goes from
 * Suspect to Moving in one. In Suspect and Confirming nothing is done: what the city holds counts and stays. In Moving and
 * Moved it is written off: it does not count, others take its place, and what the hub has written for the city is left as
 * it is, so that a city that comes back finds nothing new. From Moving and Moved only a report leads back. In Returning it
 * counts again, may give up and gets nothing, until it has obeyed what the hub has decided since.
 */

export type Standing =
  | { readonly phase: 'Serving' }
  | { readonly phase: 'Suspect'; readonly sinceMs: number }
  | { readonly phase: 'Confirming'; readonly sinceMs: number; readonly hold?: Hold }
  | { readonly phase: 'Moving'; readonly sinceMs: number; readonly replicas: number }
  | { readonly phase: 'Moved'; readonly sinceMs: number }
  | { readonly phase: 'Returning'; readonly sinceMs: number };

/** Why a city that was not heard of beyond the grace is not written off. */
export type Hold =
  | { readonly because: 'SeenByOther'; readonly by: string }
  | { readonly because: 'NoSecondView' }
  | { readonly because: 'Turn' };

/** What is known from elsewhere than the hub's own ear. */
export type Vantage =
  | { readonly sees: 'City'; readonly by: string }
  | { readonly sees: 'Nothing'; readonly by: string }
  /** No other city has said anything; `isTrusted` when the hub's own ear is good enough. */
  | { readonly sees: 'Unknown'; readonly isTrusted: boolean };

export interface Sight {
  readonly nowMs: number;
  /** Since the city was heard of, or since the hub is awake when that is later. */
  readonly silentMs: number;
  /** When the city last reported all that it holds; undefined when not in this hub's life. */
  readonly reportedAtMs: number | undefined;
  readonly lateAfterMs: number;
  readonly confirmMs: number;
  readonly graceMs: number;
  readonly vantage: Vantage;
  /** Replicas that are meant for the city. */
  readonly assigned: number;
  /** As many replicas as wanted are ready in the other cities. */
  readonly isReplaced: boolean;
  /** The city has obeyed the last that was written for it. */
  readonly isFenced: boolean;
  /** Not too many services are on the move. */
  readonly mayMove: boolean;
}

/** One transition; the same object when nothing changes. */
export function step(standing: Standing, sight: Sight): Standing {
  const { nowMs, silentMs } = sight;
  const isLate = silentMs >= sight.lateAfterMs;
  switch (standing.phase) {
    case 'Serving':
      return isLate ? { phase: 'Suspect', sinceMs: nowMs } : standing;
    case 'Suspect':
      if (!isLate) return { phase: 'Serving' };
      return silentMs >= sight.graceMs ? step({ phase: 'Confirming', sinceMs: nowMs }, sight) : standing;
    case 'Confirming': {
      if (!isLate) return { phase: 'Serving' };
      // Somebody has lengthened the grace meanwhile.
      if (silentMs < sight.graceMs) return { phase: 'Suspect', sinceMs: standing.sinceMs };
      const hold = holdFor(sight);
      if (!hold) return { phase: 'Moving', sinceMs: nowMs, replicas: sight.assigned };
      return isSameHold(standing.hold, hold) ? standing : { ...standing, hold };
    }
    case 'Moving':
      if (hasReportedSince(standing.sinceMs, sight)) return { phase: 'Returning', sinceMs: nowMs };
      return sight.isReplaced ? { phase: 'Moved', sinceMs: nowMs } : standing;
    case 'Moved':
      return hasReportedSince(standing.sinceMs, sight) ? { phase: 'Returning', sinceMs: nowMs } : standing;
    case 'Returning':
      if (isLate) return { phase: 'Suspect', sinceMs: nowMs };
      return sight.isFenced ? { phase: 'Serving' } : standing;
  }
}

/** Whether what the city holds counts towards the service's maximum. */
export function isCounted({ phase }: Standing): boolean {
  return phase !== 'Moving' && phase !== 'Moved';
}

/** Whether only its turn is missing before the city is written off. */
export function asksForTurn(standing: Standing, sight: Omit<Sight, 'mayMove'>): boolean {
  return (
    (standing.phase === 'Suspect' || standing.phase === 'Confirming') &&
    sight.silentMs >= Math.max(sight.lateAfterMs, sight.graceMs) &&
    holdFor({ ...sight, mayMove: true }) === undefined
  );
}

function holdFor({ vantage, silentMs, graceMs, confirmMs, mayMove }: Sight): Hold | undefined {
  switch (vantage.sees) {
    case 'City':
      return { because: 'SeenByOther', by: vantage.by };
    case 'Unknown':
      if (!vantage.isTrusted || silentMs < graceMs + confirmMs) return { because: 'NoSecondView' };
      break;
    case 'Nothing':
      break;
  }
  return mayMove ? undefined : { because: 'Turn' };
}

function isSameHold(a: Hold | undefined, b: Hold): boolean {
  if (a?.because !== b.because) return false;
  return a.because !== 'SeenByOther' || b.because !== 'SeenByOther' || a.by === b.by;
}

function hasReportedSince(sinceMs: number, { reportedAtMs }: Sight): boolean {
  return reportedAtMs !== undefined && reportedAtMs > sinceMs;
}
