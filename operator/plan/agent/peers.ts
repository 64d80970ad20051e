/**
 * Looking at other cities, so that the hub knows whether a city that it does not hear is there. Only addresses that the
 * hub has named are looked at, and a look is a GET whose answer is not read: a hub cannot make a city fetch anything for
 * it, or send anything anywhere.
 */
import type { CityPeers, CityViews } from '../../../crds/region.ts';

/** How it was when it was looked at last. */
export interface PeerSight {
  readonly sees: boolean;
  readonly atMs: number;
}

export type Sights = ReadonlyMap<string, PeerSight>;

/** Looks in the time of one heartbeat. */
export const LOOKS_PER_HEARTBEAT = 3;

/** A peer that takes longer to answer counts as not seen. */
export const LOOK_LIMIT_SECONDS = 2;

/** Addresses that can be looked at: http and https without credentials in them. */
export function lookable(peers: CityPeers, self: string): Map<string, string> {
  return new Map(Object.entries(peers).filter(([city, url]) => city !== self && isPlain(url)));
}

function isPlain(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

/** @returns whether one is seen that was not, or the other way round */
export function isNews(before: Sights, after: Sights): boolean {
  return [...after].some(([city, { sees }]) => before.get(city)?.sees !== sees);
}

export function viewsAt(sights: Sights, nowMs: number): CityViews {
  return Object.fromEntries(
    [...sights].map(([city, { sees, atMs }]) => [
      city,
      { sees, ageSeconds: Math.max(0, Math.round((nowMs - atMs) / 100) / 10) },
    ]),
  );
}
