/** The second stage of a look: where the replicas should be. */
import type { PlacementRequest, PresentShare } from '../placement/city.ts';
import { Ledger } from '../placement/ledger.ts';
import { enteredReplicas } from '../placement/place.ts';
import { placeInto, type ServicePlacement } from '../placement/place-all.ts';
import { unfitCities } from './fitness.ts';
import type { Entry, Look } from './look.ts';
import { mayRun, NOTHING_REPORTED, newShare, type ServiceRecord, type ShareRecord } from './records.ts';
import { placeable } from './sights.ts';
import { isCounted } from './standing.ts';

/** Brings what is assigned up to date, for the restless entries and for whoever has to make room for them. */
export function placeShares(
  entries: ReadonlyMap<string, Entry>,
  restless: readonly Entry[],
  look: Look,
): void {
  const cities = [...look.sights.values()].map(placeable);
  const ledger = new Ledger(cities);
  for (const { service, record } of entries.values()) {
    for (const share of record.shares.values()) {
      ledger.add(share.city, service.intent, enteredReplicas(presentShare(share, record.key, look)));
    }
  }
  const requests = restless
    .filter(({ record }) => !record.isProvisional)
    .map((entry) => requestOf(entry, look));
  const victim = (key: string) => requestOf(entries.get(key)!, look);
  for (const [key, placement] of placeInto(ledger, requests, cities, victim)) {
    const entry = entries.get(key)!;
    entry.record = withPlacement(entry.record, placement, look);
  }
  for (const entry of restless) if (entry.record.isProvisional) entry.record = waitingToHear(entry);
}

function requestOf({ service: { intent }, record }: Entry, look: Look): PlacementRequest {
  const shares = new Map<string, PresentShare>();
  for (const [city, share] of record.shares) shares.set(city, presentShare(share, record.key, look));
  const { key, priority, replicas, placement, demand } = intent;
  return { key, priority, replicas, placement, demand, shares, unfit: unfitCities(record, look) };
}

function presentShare(share: ShareRecord, key: string, { sights }: Look): PresentShare {
  const { city, isSilent } = sights.get(share.city)!;
  const report = city.claims.get(key) ?? NOTHING_REPORTED;
  return {
    assigned: share.assigned,
    ready: report.ready,
    held: Math.max(share.grant.floor, report.floor),
    isPinned: isSilent && isCounted(share.standing),
    isYielding: share.isYielding,
  };
}

function withPlacement(
  record: ServiceRecord,
  { assigned, waiting, why, yieldsIn }: ServicePlacement,
  { sights }: Look,
): ServiceRecord {
  const shares = new Map(record.shares);
  let hasChanged = false;
  for (const city of new Set([...shares.keys(), ...assigned.keys()])) {
    const before = shares.get(city) ?? newShare(city);
    const now = assigned.get(city) ?? 0;
    const held = mayRun(before, sights.get(city)?.city.claims.get(record.key));
    const isYielding = (before.isYielding || yieldsIn.has(city)) && held > now;
    if (before.assigned === now && before.isYielding === isYielding) continue;
    shares.set(city, { ...before, assigned: now, isYielding });
    hasChanged = true;
  }
  const placed = hasChanged ? { ...record, shares } : record;
  return withWaiting(placed, waiting, why);
}

/** A hub without a memory gives nothing out before it knows what is out already. */
function waitingToHear({ service, record }: Entry): ServiceRecord {
  const known = [...record.shares.values()].reduce((sum, { assigned }) => sum + assigned, 0);
  const waiting = Math.max(0, service.intent.replicas - known);
  const message = 'the hub has just started and waits for every city to report what it holds';
  return withWaiting(record, waiting, waiting > 0 ? { reason: 'CitiesNotHeard', message } : undefined);
}

function withWaiting(record: ServiceRecord, waiting: number, why: ServiceRecord['why']): ServiceRecord {
  const { why: before, ...rest } = record;
  if (record.waiting === waiting && before?.message === why?.message) return record;
  return { ...rest, waiting, ...(why ? { why } : {}) };
}
