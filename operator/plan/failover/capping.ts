/**
 * The third stage of a look: how far the autoscaler of each city may go. Replicas beyond the guaranteed ones run where
 * room is left, and give it up to anybody's guaranteed ones, the lowest priority first. Whatever is free may be named to
 * several services: who needs it first takes it, and the others' ceilings follow.
 */
import { ceilings } from '../placement/ceilings.ts';
import { Ledger } from '../placement/ledger.ts';
import { tieBreak } from '../placement/tie-break.ts';
import type { Entry, Look } from './look.ts';
import { mayRun, NOTHING_REPORTED, type ShareRecord } from './records.ts';
import { isCounted } from './standing.ts';

export interface Cap {
  /** Where the ceiling is to be. */
  readonly target: number;
  /** Beyond this it is in the way of what others are guaranteed. */
  readonly most: number;
}

/** @returns for every autoscaled service that is restless or has to give room, the caps of its cities */
export function capShares(
  entries: ReadonlyMap<string, Entry>,
  look: Look,
  isRestless: (entry: Entry) => boolean,
): Map<string, Map<string, Cap>> {
  const autoscaled = [...entries.values()]
    .filter(({ service, record }) => service.intent.isAutoscaled && !record.isProvisional)
    .sort(lowestFirst);
  if (autoscaled.length === 0) return new Map();
  const used = new Ledger(look.cities);
  for (const entry of entries.values()) {
    for (const share of entry.record.shares.values()) {
      used.add(share.city, entry.service.intent, useOf(share, entry, look));
    }
  }
  const result = new Map<string, Map<string, Cap>>();
  for (const entry of autoscaled) {
    if (isRestless(entry) || isInTheWay(entry, used)) result.set(entry.record.key, capped(entry, look, used));
  }
  return result;
}

/** All that the service is to have in the city, and all that it has there as long as it need not go. */
function useOf(share: ShareRecord, { record }: Entry, { sights }: Look): number {
  if (share.isYielding) return share.assigned;
  return Math.max(share.assigned, mayRun(share, sights.get(share.city)?.city.claims.get(record.key)));
}

function isInTheWay({ service, record }: Entry, used: Ledger): boolean {
  for (const { city, grant } of record.shares.values()) {
    if (grant.ceiling > grant.floor && used.room(city, service.intent.demand) < 0) return true;
  }
  return false;
}

function capped({ service: { intent }, record }: Entry, look: Look, used: Ledger): Map<string, Cap> {
  const tie = tieBreak(intent.key);
  const shares = [...record.shares.values()].filter(({ standing }) => isCounted(standing));
  const rooms = shares.map((share) => {
    const { city, isSilent } = look.sights.get(share.city)!;
    const beyond = Math.max(0, used.replicas(share.city, intent.key) - guaranteed(share));
    return {
      city: share.city,
      guaranteed: guaranteed(share),
      takesMore: share.assigned > 0,
      ceiling: share.grant.ceiling,
      isPinned: isSilent,
      needed: (city.claims.get(intent.key) ?? NOTHING_REPORTED).needed,
      room: Math.max(0, used.room(share.city, intent.demand) + beyond),
      tie: tie(share.city),
    };
  });
  const targets = ceilings(intent.maximum, rooms);
  return new Map(
    rooms.map(({ city, room, ...share }) => {
      const most = share.guaranteed + room;
      // What is given up here need not be given up by others.
      if (most < used.replicas(city, intent.key)) used.set(city, intent, most);
      return [city, { target: targets.get(city) ?? share.guaranteed, most }];
    }),
  );
}

/** On the way from one city to another a replica is guaranteed twice. */
function guaranteed({ assigned, grant, isYielding }: ShareRecord): number {
  return isYielding ? assigned : Math.max(assigned, grant.floor);
}

function lowestFirst(a: Entry, b: Entry): number {
  const [left, right] = [a.service.intent, b.service.intent];
  return left.priority - right.priority || (left.key < right.key ? -1 : 1);
}
