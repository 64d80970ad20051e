/** The first stage of a look: what each city has acknowledged, and how it stands towards each service. */
import { acknowledged, isObeyed } from './claim.ts';
import { noticeFitness } from './fitness.ts';
import type { Entry, Look } from './look.ts';
import type { Service, ServiceRecord, ShareRecord } from './records.ts';
import type { CitySight } from './sights.ts';
import { asksForTurn, isCounted, type Sight, type Standing, step } from './standing.ts';

/**
 * Brings the standings up to date. Cities that need only their turn get it by priority, as long as not too many services
 * are on the move.
 *
 * @returns services on the move, those included that begin now
 */
export function standShares(entries: readonly Entry[], look: Look): Set<string> {
  const asking: Entry[] = [];
  const moving = new Set<string>();
  for (const entry of entries) {
    if (isMoving(entry.record, look)) moving.add(entry.record.key);
    const { record, asks } = stand(entry, look, false);
    entry.record = noticeFitness(record, look);
    if (asks) asking.push(entry);
  }
  for (const entry of asking.sort(byPriority)) {
    const { key } = entry.record;
    if (moving.size >= look.settings.maxMoves && !moving.has(key)) continue;
    moving.add(key);
    entry.record = stand(entry, look, true).record;
  }
  return moving;
}

/** Whether the service counts among those on the move: it is at it, and not for too long already. */
function isMoving({ movingSinceMs }: ServiceRecord, { nowMs, settings }: Look): boolean {
  return movingSinceMs !== undefined && nowMs - movingSinceMs < settings.moveTimeoutMs;
}

export function byPriority(a: Entry, b: Entry): number {
  const [left, right] = [a.service.intent, b.service.intent];
  return right.priority - left.priority || (left.key < right.key ? -1 : 1);
}

function stand(
  { service, record }: Entry,
  look: Look,
  mayMove: boolean,
): { record: ServiceRecord; asks: boolean } {
  const isReplaced = readyElsewhere(record, look) >= service.intent.replicas;
  const shares = new Map<string, ShareRecord>();
  let asks = false;
  let hasChanged = false;
  for (const [city, before] of record.shares) {
    const known = look.sights.get(city);
    // Without its CityCluster a city is gone for good, and what it held with it.
    if (known) {
      const share = withAcknowledged(before, known, record.key);
      const sight = sightOf(service, share, known, look, isReplaced);
      asks ||= asksForTurn(share.standing, sight);
      shares.set(city, stepped(share, { ...sight, mayMove }, known));
    }
    hasChanged ||= shares.get(city) !== before;
  }
  return { record: hasChanged ? { ...record, shares } : record, asks };
}

function withAcknowledged(share: ShareRecord, { city }: CitySight, key: string): ShareRecord {
  if (city.session === undefined) return share;
  const claim = acknowledged(share, city.claims.get(key), city.session);
  return claim === share ? share : { ...share, ...claim };
}

function stepped(share: ShareRecord, sight: Sight, { isTrusted }: CitySight): ShareRecord {
  const before = share.standing;
  // Where nothing is held nothing can be lost.
  const standing: Standing = share.grant.floor === 0 && share.mayHold === 0 ? SERVING : step(before, sight);
  if (standing === before) return share;
  if (standing.phase === 'Moving') return { ...share, standing, assigned: 0 };
  // Back before it was replaced: it goes on as if nothing had been, unless it keeps going and coming.
  const isGivenBack = before.phase === 'Moving' && standing.phase === 'Returning' && isTrusted;
  return { ...share, standing, ...(isGivenBack ? { assigned: before.replicas } : {}) };
}

const SERVING: Standing = { phase: 'Serving' };

/** Ready replicas in cities that are heard, as far as they are meant to be there. */
function readyElsewhere(record: ServiceRecord, { sights }: Look): number {
  let ready = 0;
  for (const [city, { assigned, standing }] of record.shares) {
    const sight = sights.get(city);
    if (!sight || sight.isSilent || !isCounted(standing)) continue;
    ready += Math.min(assigned, sight.city.claims.get(record.key)?.ready ?? 0);
  }
  return ready;
}

function sightOf(
  { intent }: Service,
  share: ShareRecord,
  { city, silentMs, isLate, vantage }: CitySight,
  { nowMs, settings }: Look,
  isReplaced: boolean,
): Omit<Sight, 'mayMove'> {
  return {
    nowMs,
    silentMs,
    reportedAtMs: city.reportedAtMs,
    lateAfterMs: settings.lateAfterMs,
    confirmMs: settings.confirmMs,
    graceMs: intent.placement.failover.graceSeconds * 1000,
    vantage: isLate ? vantage() : UNASKED,
    assigned: Math.min(share.assigned, share.grant.floor),
    isReplaced,
    isFenced: isObeyed(share, city.claims.get(intent.key)),
  };
}

const UNASKED = { sees: 'Unknown', isTrusted: false } as const;
