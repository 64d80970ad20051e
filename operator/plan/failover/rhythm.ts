/** The times that failover goes by. All in milliseconds, all on the hub's or the city's own clock, never compared. */

export interface Rhythm {
  /** How often a city says that it is there when it has nothing else to say. It looks at others three times as often. */
  readonly heartbeatMs: number;
  /** A city that was not answered for so long begins a new session. */
  readonly sessionMs: number;
  /** A city that was not heard of for so long is late: nothing new is given to it. */
  readonly lateAfterMs: number;
}

/** At rest a city sends no more than two messages a minute. */
const LONGEST_HEARTBEAT_MS = 30_000;

/**
 * Fitted to the shortest grace of any service, in this order: a heartbeat fails, the city is late, the city begins a new
 * session, the grace is over. So a city has begun a new session before the hub may have started its replicas elsewhere.
 * A report that is not answered is to be sent again well before the next heartbeat.
 */
export function rhythmFor(shortestGraceMs: number): Rhythm {
  const heartbeatMs = Math.min(LONGEST_HEARTBEAT_MS, shortestGraceMs / 3);
  return { heartbeatMs, lateAfterMs: heartbeatMs * 1.5, sessionMs: heartbeatMs * 2.4 };
}

export interface FailoverSettings extends Pick<Rhythm, 'lateAfterMs'> {
  /** How long a hub that has woken up waits for cities to speak before it places what it has no record of. */
  readonly listenMs: number;
  /** How long after the grace other cities may take to say what they see, where none has said it yet. */
  readonly confirmMs: number;
  /**
   * What another city saw is worth nothing after so long: a heartbeat, the time between two of its
   * looks, and some more. Shorter than any grace, so that an old look saves nobody.
   */
  readonly viewFreshMs: number;
  /** Services that may be on the move at once. */
  readonly maxMoves: number;
  /** A move that takes longer no longer keeps others waiting. */
  readonly moveTimeoutMs: number;
  /** How long replicas may take to become ready before another city is tried. */
  readonly readyTimeoutMs: number;
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
    viewFreshMs: heartbeatMs * 2,
    maxMoves: 64,
    moveTimeoutMs: 10 * 60_000,
    readyTimeoutMs: 15 * 60_000,
    settleMs: 60_000,
    longestSettleMs: 30 * 60_000,
    forgetMs: 60 * 60_000,
  };
}
