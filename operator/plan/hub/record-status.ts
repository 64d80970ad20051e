/** Between what the hub remembers of a service and the `status.placement` that keeps it. */
import type { PlacementRecord } from '../../../crds/placement-record.ts';
import type { ServiceRecord, ShareRecord, Unfit } from '../failover/records.ts';
import type { Hold, Standing } from '../failover/standing.ts';

type ShareStatus = NonNullable<PlacementRecord['shares']>[number];

/** In one order, so that equal records are equal texts. */
export function placementStatus(record: ServiceRecord): PlacementRecord {
  const { epoch, waiting, why, isProvisional, movingSinceMs, shares, unfit } = record;
  return {
    epoch,
    waiting,
    ...(why ? { reason: why.reason, message: why.message } : {}),
    ...(isProvisional ? { isProvisional } : {}),
    ...(movingSinceMs === undefined ? {} : { movingSinceMs: Math.round(movingSinceMs) }),
    ...(shares.size > 0 ? { shares: [...shares.values()].map(shareStatus).sort(byCity) } : {}),
    ...(unfit.size > 0
      ? {
          unfit: [...unfit]
            .map(([city, { times, untilMs }]) => ({ city, times, untilMs: Math.round(untilMs) }))
            .sort(byCity),
        }
      : {}),
  };
}

/**
 * @param nowMs times in the future count as now: the clock of the hub that wrote them was ahead, and what begins in the
 * future would never be over
 */
export function serviceRecord(key: string, status: PlacementRecord, nowMs: number): ServiceRecord {
  const past = (ms: number) => Math.min(ms, nowMs);
  const { epoch, waiting, reason, message, movingSinceMs, shares = [], unfit = [] } = status;
  return {
    key,
    epoch,
    waiting,
    ...(reason === undefined ? {} : { why: { reason, message: message ?? '' } }),
    isProvisional: status.isProvisional ?? false,
    ...(movingSinceMs === undefined ? {} : { movingSinceMs: past(movingSinceMs) }),
    shares: new Map(shares.map((share) => [share.city, shareRecord(share, past)])),
    unfit: new Map(unfit.map(({ city, times, untilMs }): [string, Unfit] => [city, { times, untilMs }])),
  };
}

function shareStatus(share: ShareRecord): ShareStatus {
  const { city, assigned, grant, mayHold, standing, isYielding, missingSinceMs } = share;
  const { epoch, session, floor, ceiling } = grant;
  return {
    city,
    assigned,
    grant: { epoch, session, floor, ceiling },
    mayHold,
    ...standingStatus(standing),
    ...(isYielding ? { isYielding } : {}),
    ...(missingSinceMs === undefined ? {} : { missingSinceMs: Math.round(missingSinceMs) }),
  };
}

function standingStatus(
  standing: Standing,
): Pick<ShareStatus, 'phase' | 'phaseSinceMs' | 'movingReplicas' | 'hold'> {
  const { phase } = standing;
  switch (standing.phase) {
    case 'Serving':
      return { phase };
    case 'Suspect':
    case 'Moved':
    case 'Returning':
      return { phase, phaseSinceMs: Math.round(standing.sinceMs) };
    case 'Confirming': {
      const hold = standing.hold ? { hold: { ...standing.hold } } : {};
      return { phase, phaseSinceMs: Math.round(standing.sinceMs), ...hold };
    }
    case 'Moving':
      return { phase, phaseSinceMs: Math.round(standing.sinceMs), movingReplicas: standing.replicas };
  }
}

function shareRecord(status: ShareStatus, past: (ms: number) => number): ShareRecord {
  const { city, assigned, grant, mayHold, isYielding = false, missingSinceMs } = status;
  return {
    city,
    assigned,
    grant,
    mayHold,
    standing: standingOf(status, past),
    isYielding,
    ...(missingSinceMs === undefined ? {} : { missingSinceMs: past(missingSinceMs) }),
  };
}

function standingOf(
  { phase, phaseSinceMs = 0, movingReplicas = 0, hold }: ShareStatus,
  past: (ms: number) => number,
): Standing {
  const sinceMs = past(phaseSinceMs);
  switch (phase) {
    case 'Serving':
      return { phase };
    case 'Suspect':
    case 'Moved':
    case 'Returning':
      return { phase, sinceMs };
    case 'Confirming': {
      const known = holdOf(hold);
      return known ? { phase, sinceMs, hold: known } : { phase, sinceMs };
    }
    case 'Moving':
      return { phase, sinceMs, replicas: movingReplicas };
  }
}

function holdOf(hold: ShareStatus['hold']): Hold | undefined {
  if (!hold) return undefined;
  const { because, by } = hold;
  if (because !== 'SeenByOther') return { because };
  return by === undefined ? undefined : { because, by };
}

function byCity(a: { readonly city: string }, b: { readonly city: string }): number {
  return a.city < b.city ? -1 : 1;
}
