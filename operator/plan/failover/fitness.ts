/**
 * A city may have room and be heard, and still never get a replica ready: no driver, no image, GPUs on the wrong nodes.
 * Then the replicas that are not ready go elsewhere, and the city is the last resort for this service for a while that
 * doubles each time.
 *
 * A model that no city can load must not wander through the region. So a city is blamed only when the service is ready
 * somewhere else, or when it stands in for a city that was lost.
 */
import type { Look } from './look.ts';
import { NOTHING_REPORTED, type ServiceRecord, type ShareRecord, type Unfit } from './records.ts';
import { isCounted } from './standing.ts';

/** Brings up to date since when replicas are missing in each city, and which cities are blamed for it. */
export function noticeFitness(record: ServiceRecord, look: Look): ServiceRecord {
  const isElsewhere = canBlame(record, look);
  const shares = new Map<string, ShareRecord>();
  let { unfit } = record;
  let hasChanged = false;
  for (const [city, share] of record.shares) {
    const sinceMs = missingSince(share, record.key, look);
    const isOverdue = sinceMs !== undefined && look.nowMs - sinceMs >= look.settings.readyTimeoutMs;
    if (isOverdue && isElsewhere(city)) unfit = blamed(unfit, city, look);
    else if (hasRecovered(share, record, look)) unfit = without(unfit, city);
    const next = isOverdue ? look.nowMs : sinceMs;
    hasChanged ||= next !== share.missingSinceMs;
    shares.set(city, next === share.missingSinceMs ? share : withMissing(share, next));
  }
  return hasChanged || unfit !== record.unfit ? { ...record, shares, unfit } : record;
}

/** Cities that take replicas of the service only when no other can. */
export function unfitCities({ unfit }: ServiceRecord, { nowMs }: Look): ReadonlySet<string> {
  return new Set([...unfit].filter(([, { untilMs }]) => untilMs > nowMs).map(([city]) => city));
}

/** Since when guaranteed replicas are not ready in a city that is heard. */
function missingSince(share: ShareRecord, key: string, look: Look): number | undefined {
  const isJudged = share.standing.phase === 'Serving' && !look.sights.get(share.city)?.isSilent;
  if (!isJudged || isReady(share, key, look)) return undefined;
  return share.missingSinceMs ?? look.nowMs;
}

function isReady({ city, grant }: ShareRecord, key: string, { sights }: Look): boolean {
  const { ready } = sights.get(city)?.city.claims.get(key) ?? NOTHING_REPORTED;
  return ready >= grant.floor;
}

/** The city has had its time, was tried again, and all that it is to have is ready. */
function hasRecovered(share: ShareRecord, { key, unfit }: ServiceRecord, look: Look): boolean {
  const { untilMs = Number.POSITIVE_INFINITY } = unfit.get(share.city) ?? {};
  return look.nowMs >= untilMs && share.grant.floor > 0 && isReady(share, key, look);
}

function canBlame(record: ServiceRecord, { sights }: Look): (city: string) => boolean {
  const isStandIn = [...record.shares.values()].some(({ standing }) => !isCounted(standing));
  return (blamedCity) =>
    isStandIn ||
    [...record.shares.keys()].some((city) => {
      const sight = sights.get(city);
      const { ready } = sight?.city.claims.get(record.key) ?? NOTHING_REPORTED;
      return city !== blamedCity && sight?.isSilent === false && ready > 0;
    });
}

function blamed(unfit: ServiceRecord['unfit'], city: string, { nowMs, settings }: Look): Map<string, Unfit> {
  const times = (unfit.get(city)?.times ?? 0) + 1;
  const forMs = Math.min(settings.longestSettleMs, settings.readyTimeoutMs * 2 ** times);
  return new Map(unfit).set(city, { times, untilMs: nowMs + forMs });
}

function without(unfit: ServiceRecord['unfit'], city: string): ServiceRecord['unfit'] {
  const rest = new Map(unfit);
  rest.delete(city);
  return rest;
}

function withMissing(share: ShareRecord, missingSinceMs: number | undefined): ShareRecord {
  const { missingSinceMs: _, ...rest } = share;
  return missingSinceMs === undefined ? rest : { ...rest, missingSinceMs };
}
