/**
 * How often cities are to beat, and how often they are expected to. They learn of a faster rhythm only in the answer to
 * their next heartbeat, so for as long as that may take nobody is late who keeps to the slower one.
 */
import type { Rhythm } from '../failover/rhythm.ts';

export interface Pace {
  readonly told: Rhythm;
  readonly expected: Rhythm;
  /** Since when the cities are told to be faster than is expected of them. */
  readonly fasterSinceMs?: number;
}

/** @returns the same object when nothing changes */
export function paced(before: Pace, wanted: Rhythm, nowMs: number): Pace {
  const { expected, told, fasterSinceMs } = before;
  if (wanted.heartbeatMs >= expected.heartbeatMs) {
    const isSame = wanted.heartbeatMs === expected.heartbeatMs && wanted.heartbeatMs === told.heartbeatMs;
    return isSame && fasterSinceMs === undefined ? before : { told: wanted, expected: wanted };
  }
  const sinceMs = wanted.heartbeatMs === told.heartbeatMs ? (fasterSinceMs ?? nowMs) : nowMs;
  if (nowMs - sinceMs >= expected.lateAfterMs) return { told: wanted, expected: wanted };
  return sinceMs === fasterSinceMs ? before : { told: wanted, expected, fasterSinceMs: sinceMs };
}
