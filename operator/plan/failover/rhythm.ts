/** The times that failover goes by. All in milliseconds, all on the hub's or the city's own clock, never compared. */

export interface Rhythm {
  /** How often a city says that it is there when it has nothing else to say, and looks at other cities. */
  readonly heartbeatMs: number;
  /** A city that was not answered for so long begins a new session. */
  readonly sessionMs: number;
  /** A city that was not heard of for so long is late: nothing new is given to it. */
  readonly lateAfterMs: number;
}

/** At rest a city sends no more than two messages a minute. */
const LONGEST_HEARTBEAT_MS = 30_000;

/**
 * Fitted to the shortest grace of any service, in this order: two heartbeats may be lost before a city is late, and a
 * city has begun a new session before the hub may have started its replicas elsewhere.
 */
export function rhythmFor(shortestGraceMs: number): Rhythm {
  const heartbeatMs = Math.min(LONGEST_HEARTBEAT_MS, shortestGraceMs / 5);
  return {
    heartbeatMs,
    lateAfterMs: heartbeatMs * 2.5,
    sessionMs: Math.min(heartbeatMs * 4, shortestGraceMs * 0.8),
  };
}

export interface FailoverSettings extends Pick<Rhythm, 'lateAfterMs'> {
  /** How long a hub that has woken up waits for cities to speak before it places what it has no record of. */
  readonly listenMs: number;
  /** How long after the grace other cities may take to say what they see, where none has said it yet. */
  readonly confirmMs: number;
  /**
   * What another city saw is worth nothing after so long: two heartbeats, one of which may be lost, and the time between
   * two of its looks. Shorter than any grace, so that an old look saves nobody.
   */
  readonly viewFreshMs: number;
  /** Services that may be on the move at once. */
  readonly maxMoves: number;
  /** A move that takes longer no longer keeps others waiting. */
  readonly moveTimeoutMs: number;
  /** How long a city must have been back before it is a place like any other; doubles with each recent loss. */
  readonly settleMs: number;
  readonly longestSettleMs: number;
  /** Quiet time that halves the count of losses. */
  readonly forgetMs: number;
}

export function settingsFor({ heartbeatMs, lateAfterMs }: Rhythm): FailoverSettings {
  return {
    lateAfterMs,
    listenMs: lateAfterMs,
    confirmMs: heartbeatMs,
    viewFreshMs: heartbeatMs * 3,
    maxMoves: 64,
    moveTimeoutMs: 10 * 60_000,
    settleMs: 60_000,
    longestSettleMs: 30 * 60_000,
    forgetMs: 60 * 60_000,
  };
}
