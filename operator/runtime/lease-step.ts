/**
 * Who may lead, decided as client-go does: a lease has expired when its record has not changed for its whole
 * duration *on our own clock since we saw it change*. The times written in it are for people; the clocks of two
 * machines are never compared.
 */

import { microTime } from './micro-time.ts';

/** `spec` of a `coordination.k8s.io/v1` Lease. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** What we know of the lease: its record, and since when (monotonic) it has been exactly so. */
export interface SeenLease {
  readonly spec: LeaseSpec;
  readonly sinceSeconds: number;
}

export type LeaseDecision = 'create' | 'renew' | 'take' | 'wait';

/** Takes note of what was read; only a changed record moves the time. */
export function see(before: SeenLease | undefined, spec: LeaseSpec, nowSeconds: number): SeenLease {
  return before && isSameRecord(before.spec, spec) ? before : { spec, sinceSeconds: nowSeconds };
}

/** What a candidate should do about the lease it has just read; undefined when there is none. */
export function decide(seen: SeenLease | undefined, identity: string, nowSeconds: number): LeaseDecision {
  if (!seen) return 'create';
  const { holderIdentity = '', leaseDurationSeconds = 0 } = seen.spec;
  if (holderIdentity === identity) return 'renew';
  const isHeld = holderIdentity !== '' && nowSeconds < seen.sinceSeconds + leaseDurationSeconds;
  return isHeld ? 'wait' : 'take';
}

/** The record to write for a decision. */
export function nextSpec(
  decision: Exclude<LeaseDecision, 'wait'>,
  before: LeaseSpec | undefined,
  identity: string,
  leaseDurationSeconds: number,
  now: Date,
): LeaseSpec {
  const time = microTime(now);
  const mine = { holderIdentity: identity, leaseDurationSeconds, renewTime: time };
  switch (decision) {
    case 'create':
      return { ...mine, acquireTime: time, leaseTransitions: 0 };
    case 'renew':
      return { ...before, ...mine };
    case 'take':
      return { ...mine, acquireTime: time, leaseTransitions: (before?.leaseTransitions ?? 0) + 1 };
  }
}

/** The record of a leader that leaves: anybody may take it at once. */
export function releasedSpec(before: LeaseSpec, now: Date): LeaseSpec {
  return { ...before, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now) };
}

function isSameRecord(a: LeaseSpec, b: LeaseSpec): boolean {
  return (
    a.holderIdentity === b.holderIdentity &&
    a.renewTime === b.renewTime &&
    a.acquireTime === b.acquireTime &&
    a.leaseTransitions === b.leaseTransitions &&
    a.leaseDurationSeconds === b.leaseDurationSeconds
  );
}
