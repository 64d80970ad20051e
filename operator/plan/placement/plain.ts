/**
 * The short way for most services of a large region: those that prefer no city to another, and of which each city has
 * but few replicas. They stay where they are, and each replica that lacks a city goes to one of its own, where most room
 * is. Dividing over all cities (place.ts) comes to the very same, and a property test holds one against the other.
 *
 * Why it is the same: with n slots of equal weight, and room in them for more than is wanted, no quota is above the
 * tolerance, and no count either. So dividing makes nothing fair again, and gives what is missing to the slots that have
 * nothing yet, in the order of their claim.
 */
import { type Candidate, hasScores } from './candidates.ts';
import type { PlacementRequest } from './city.ts';
import { defaultTolerance } from './divide.ts';
import type { Ledger } from './ledger.ts';
import { MOST_ROOM } from './slots.ts';
import { tieBreak } from './tie-break.ts';

/** The candidates of one placement. */
export interface Candidates {
  /** In the order of the cities' names. */
  readonly all: readonly Candidate[];
  readonly byCity: ReadonlyMap<string, Candidate>;
}

/** @returns a count per city without zeros; undefined where all cities must be divided over */
export function placePlainly(
  request: PlacementRequest,
  { all, byCity }: Candidates,
  ledger: Ledger,
): Map<string, number> | undefined {
  const { placement, replicas, unfit } = request;
  if (placement.spread || placement.groups || hasScores(placement) || (unfit?.size ?? 0) > 0)
    return undefined;
  const counts = standing(request, byCity, ledger);
  if (!counts) return undefined;
  let missing = replicas;
  for (const count of counts.values()) missing -= count;
  if (missing < 0) return undefined;
  return missing === 0 || addMissing(missing, counts, request, all, ledger) ? counts : undefined;
}

/** What stands and may stay as it is; undefined when any of it may have to move. */
function standing(
  { shares, replicas, demand }: PlacementRequest,
  byCity: Candidates['byCity'],
  ledger: Ledger,
): Map<string, number> | undefined {
  const counts = new Map<string, number>();
  const most = defaultTolerance(replicas);
  for (const [city, { assigned, isPinned }] of shares) {
    if (isPinned) return undefined;
    if (assigned === 0) continue;
    const kind = byCity.get(city)?.verdict.kind;
    const mayStay = kind === 'Open' || kind === 'Keep' || kind === 'LastResort';
    if (!mayStay || assigned > most || ledger.room(city, demand) < 0) return undefined;
    counts.set(city, assigned);
  }
  return counts;
}

interface Place {
  readonly city: string;
  readonly room: number;
  readonly tie: number;
}

/** @returns false when there are too few cities for a replica each */
function addMissing(
  missing: number,
  counts: Map<string, number>,
  { key, replicas, demand, shares }: PlacementRequest,
  all: readonly Candidate[],
  ledger: Ledger,
): boolean {
  const roomIn = ledger.rooms(demand);
  const holdings = ledger.holdings(key, shares.keys());
  const tie = tieBreak(key);
  /** The best ones so far, the best first. */
  const best: Place[] = [];
  let slots = counts.size;
  for (const { city, verdict } of all) {
    const { name } = city;
    if (verdict.kind !== 'Open' || counts.has(name)) continue;
    const room = Math.min(MOST_ROOM, roomIn(name) + (holdings.get(name) ?? 0));
    if (room < 1) continue;
    slots++;
    if (best.length === missing && room < best[missing - 1]!.room) continue;
    insert(best, { city: name, room, tie: room + tie(name) }, missing);
  }
  if (best.length < missing || slots < replicas) return false;
  for (const { city } of best.sort((a, b) => (a.city < b.city ? -1 : 1))) counts.set(city, 1);
  return true;
}

/** Cities come in the order of their names, so of equal ones the first stays before the other. */
function insert(best: Place[], place: Place, most: number): void {
  let at = best.length;
  while (at > 0 && best[at - 1]!.tie < place.tie) at--;
  best.splice(at, 0, place);
  if (best.length > most) best.pop();
}
