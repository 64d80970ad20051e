/**
 * Whether this installation may speak for the city: one at a time does. As with any Lease, another holder is there as
 * long as its record changes *on our own clock since we saw it change*.
 */
import type { Rhythm } from '../failover/rhythm.ts';
import type { HeartbeatLease } from './heartbeat.ts';

/** The record of another holder, and since when it has been exactly so. */
export interface OtherHolder {
  readonly identity: string;
  readonly renewTime: string;
  readonly sinceMs: number;
}

/** Takes note of the Lease as it was read. @returns undefined when nobody else holds it */
export function otherHolder(
  before: OtherHolder | undefined,
  lease: HeartbeatLease,
  identity: string,
  nowMs: number,
): OtherHolder | undefined {
  const { holderIdentity = '', renewTime = '' } = lease.spec ?? {};
  if (holderIdentity === '' || holderIdentity === identity) return undefined;
  const isSame = before?.identity === holderIdentity && before.renewTime === renewTime;
  return isSame ? before : { identity: holderIdentity, renewTime, sinceMs: nowMs };
}

/**
 * Whether the other holder has been silent for so long that its place may be taken: its session is over by then, and the
 * hub no longer takes the two for rivals.
 */
export function isGone(
  other: OtherHolder,
  nowMs: number,
  { lateAfterMs }: Pick<Rhythm, 'lateAfterMs'>,
): boolean {
  return nowMs - other.sinceMs > 2 * lateAfterMs;
}
