/**
 * Which services a look has to go through. Most of a large region is at rest, or waits for its cities, which will say when
 * there is news: looking at those again and again would be most of what a hub does.
 */
import type { Entry, Look } from './look.ts';
import { NOTHING_REPORTED, type ServiceIntent, type ShareRecord } from './records.ts';
import type { CitySight } from './sights.ts';

export interface Unrest {
  /** To be looked at now. */
  readonly entries: readonly Entry[];
  /** Something is on its way that nobody will tell of: the next look must not wait for a change. */
  readonly isUnderWay: boolean;
  /** There are replicas without a city: they may have one as soon as others have changed. */
  readonly hasWaiting: boolean;
  /** When one of those that are left out has to be looked at, even if nothing becomes known of it. */
  readonly dueAtMs: number;
}

export function unrestOf(all: Iterable<Entry>, look: Look): Unrest {
  const entries: Entry[] = [];
  let isUnderWay = false;
  let hasWaiting = false;
  let dueAtMs = Number.POSITIVE_INFINITY;
  for (const entry of all) {
    const dueMs = dueAt(entry, look);
    const isDue = dueMs <= look.nowMs;
    const isWaiting = entry.record.waiting > 0;
    isUnderWay ||= isDue;
    hasWaiting ||= isWaiting;
    if (isDue || isWaiting) entries.push(entry);
    if (!isDue) dueAtMs = Math.min(dueAtMs, dueMs);
  }
  return { entries, isUnderWay, hasWaiting, dueAtMs };
}

/** When the service has to be looked at, on the hub's clock: at once, at some time, or never. */
function dueAt({ service, record }: Entry, look: Look): number {
  const { sights, touched } = look;
  if (!touched || touched.has(record.key) || record !== service.record) return AT_ONCE;
  if (record.isProvisional || record.movingSinceMs !== undefined) return AT_ONCE;
  let dueMs = Number.POSITIVE_INFINITY;
  for (const share of record.shares.values()) {
    const sight = sights.get(share.city);
    dueMs = Math.min(dueMs, sight ? shareDueAt(share, service.intent, sight, look) : AT_ONCE);
  }
  return dueMs;
}

const AT_ONCE = Number.NEGATIVE_INFINITY;

function shareDueAt(share: ShareRecord, intent: ServiceIntent, sight: CitySight, look: Look): number {
  const { assigned, grant, isYielding, standing, missingSinceMs } = share;
  if (sight.isLate) return lateDueAt(share, intent, sight, look);
  if (standing.phase !== 'Serving' || isYielding || assigned !== grant.floor) return AT_ONCE;
  const { ready } = sight.city.claims.get(intent.key) ?? NOTHING_REPORTED;
  // Whether the city has obeyed yet, it will say.
  if (ready >= grant.floor) return missingSinceMs === undefined ? Number.POSITIVE_INFINITY : AT_ONCE;
  return missingSinceMs === undefined ? AT_ONCE : missingSinceMs + look.settings.readyTimeoutMs;
}

function lateDueAt(
  share: ShareRecord,
  { placement }: ServiceIntent,
  sight: CitySight,
  { nowMs }: Look,
): number {
  if (isHeldUp(share, sight)) return Number.POSITIVE_INFINITY;
  const graceMs = placement.failover.graceSeconds * 1000;
  // At the end of the grace to the millisecond: from then on clients miss the city's replicas for longer than was agreed.
  return share.standing.phase === 'Suspect' ? nowMs - sight.silentMs + graceMs : AT_ONCE;
}

/** Only a word of the late city, or of another that looks at it, brings the share on. */
function isHeldUp({ standing }: ShareRecord, { vantage }: CitySight): boolean {
  if (standing.phase === 'Moved') return true;
  if (standing.phase !== 'Confirming' || standing.hold?.because !== 'SeenByOther') return false;
  const seen = vantage();
  return seen.sees === 'City' && seen.by === standing.hold.by;
}
