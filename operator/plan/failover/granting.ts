/** The last stage of a look: what each city is granted now, on the way to what it should have. */
import { labelsOf } from '../placement/city.ts';
import { matches } from '../placement/label-selector.ts';
import type { Ledger } from '../placement/ledger.ts';
import type { Cap } from './capping.ts';
import { type Bounds, granted } from './claim.ts';
import { type HandoverShare, handOver } from './handover.ts';
import type { Entry, Look } from './look.ts';
import {
  mayRun,
  NOTHING_REPORTED,
  type ServiceIntent,
  type ServiceRecord,
  type ShareRecord,
} from './records.ts';
import type { CitySight } from './sights.ts';
import { isCounted } from './standing.ts';

/** Writes the next grants of a service into its record, and enters them into what the cities may run. */
export function grantShares(
  entry: Entry,
  look: Look,
  actual: Ledger,
  caps: ReadonlyMap<string, Cap> | undefined,
  moving: Set<string>,
): void {
  const { intent } = entry.service;
  const { key, replicas, maximum, isAutoscaled } = intent;
  const shares = handoverShares(entry, look, actual, caps);
  const mayOverlap = moving.has(key) || moving.size < look.settings.maxMoves;
  const changes = handOver(shares, { replicas, maximum, isAutoscaled, mayOverlap });
  entry.record = withGrants(entry.record, changes, look);
  for (const [city, { floor }] of changes) {
    const report = look.sights.get(city)?.city.claims.get(key);
    actual.set(city, intent, Math.max(floor, mayRun(entry.record.shares.get(city)!, report)));
  }
  entry.record = withMove(withoutEmptyShares(entry.record, look), look, mayOverlap);
  if (entry.record.movingSinceMs !== undefined) moving.add(key);
}

function handoverShares(
  { service: { intent }, record }: Entry,
  look: Look,
  actual: Ledger,
  caps: ReadonlyMap<string, Cap> | undefined,
): HandoverShare[] {
  return countedShares(record).map((share) => {
    const sight = look.sights.get(share.city)!;
    const { ready, running } = sight.city.claims.get(record.key) ?? NOTHING_REPORTED;
    return {
      city: share.city,
      assigned: share.assigned,
      ceiling: caps?.get(share.city)?.target ?? share.assigned,
      most: caps?.get(share.city)?.most ?? share.assigned,
      grant: share.grant,
      mayHold: share.mayHold,
      running,
      ready,
      fits: actual.room(share.city, intent.demand) + actual.replicas(share.city, record.key),
      change: changeIn(share, sight),
      leaves: share.isYielding || isForbidden(intent, sight) ? 'AtOnce' : 'Gently',
    };
  });
}

function countedShares({ shares }: ServiceRecord): ShareRecord[] {
  return [...shares.values()].filter(({ standing }) => isCounted(standing));
}

function changeIn({ standing }: ShareRecord, { city, isSilent }: CitySight): HandoverShare['change'] {
  if (isSilent || city.session === undefined) return 'None';
  return standing.phase === 'Returning' ? 'Shrink' : 'Any';
}

function isForbidden({ placement: { residency } }: ServiceIntent, { city }: CitySight): boolean {
  return residency !== undefined && !matches(residency, labelsOf(city));
}

function withGrants(
  record: ServiceRecord,
  changes: ReadonlyMap<string, Bounds>,
  { sights }: Look,
): ServiceRecord {
  if (changes.size === 0) return record;
  const shares = new Map(record.shares);
  let { epoch } = record;
  for (const [city, bounds] of changes) {
    const share = shares.get(city)!;
    epoch++;
    const session = sights.get(city)!.city.session!;
    shares.set(city, { ...share, ...granted(share, { ...bounds, epoch, session }) });
  }
  return { ...record, epoch, shares };
}

/** Forgets what a city was never given, and what it has given back. */
function withoutEmptyShares(record: ServiceRecord, { sights }: Look): ServiceRecord {
  const kept = [...record.shares].filter(([city, { assigned, grant, mayHold }]) => {
    const { running } = sights.get(city)?.city.claims.get(record.key) ?? NOTHING_REPORTED;
    return assigned > 0 || grant.ceiling > 0 || mayHold > 0 || running > 0;
  });
  return kept.length === record.shares.size ? record : { ...record, shares: new Map(kept) };
}

/** Takes note of when the service began to move, and that it has arrived. */
function withMove(record: ServiceRecord, { nowMs, sights }: Look, mayOverlap: boolean): ServiceRecord {
  let isStarting = false;
  let isReplacing = false;
  let isLeaving = false;
  for (const [city, { assigned, grant, standing }] of record.shares) {
    if (isCounted(standing)) {
      isLeaving ||= grant.floor > assigned;
      isStarting ||= assigned > (sights.get(city)?.city.claims.get(record.key)?.ready ?? 0);
    } else isReplacing ||= standing.phase === 'Moving';
  }
  const { movingSinceMs = nowMs, ...rest } = record;
  if (isStarting && (isReplacing || (isLeaving && mayOverlap))) {
    return record.movingSinceMs === movingSinceMs ? record : { ...rest, movingSinceMs };
  }
  return record.movingSinceMs === undefined ? record : rest;
}
