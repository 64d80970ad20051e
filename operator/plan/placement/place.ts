/**
 * One service onto the cities that may take it: as many replicas as fit, as fair as the weights ask for, as near as
 * possible to where they are.
 */
import type { Candidate } from './candidates.ts';
import type { PlacementRequest, PresentShare } from './city.ts';
import { divide } from './divide.ts';
import type { Ledger } from './ledger.ts';
import { type Candidates, placePlainly } from './plain.ts';
import { slotsFor } from './slots.ts';
import { type CitySlot, divideOverDomains } from './spread.ts';

export interface Placed {
  /** By city, without zeros; what silent cities hold is among it. */
  readonly assigned: ReadonlyMap<string, number>;
  /** Replicas without a city. */
  readonly waiting: number;
  /** Services of a lower priority that gave something up, by city. */
  readonly displaced: ReadonlyMap<string, readonly string[]>;
  /** Cities that have shrunk so far that the service must give up replicas there. */
  readonly crowdedIn: ReadonlySet<string>;
}

/**
 * @param ledger with this service's own entries in it; they are brought to the result, and so are the entries of
 * services that have to give room
 */
export function place(request: PlacementRequest, candidates: Candidates, ledger: Ledger): Placed {
  const assigned = placePlainly(request, candidates, ledger);
  if (!assigned) return placeByDividing(request, candidates.all, ledger);
  enter(request, assigned, ledger);
  return { assigned, waiting: 0, displaced: NOBODY, crowdedIn: NOWHERE };
}

const NOBODY: Placed['displaced'] = new Map();
const NOWHERE: Placed['crowdedIn'] = new Set();

/** The long way, for every service. */
export function placeByDividing(
  request: PlacementRequest,
  candidates: readonly Candidate[],
  ledger: Ledger,
): Placed {
  const assigned = pinnedOf(request, candidates);
  const wanted = Math.max(0, request.replicas - total(assigned));
  const settled =
    inOneGroup(request, candidates, ledger, wanted) ?? inOrder(request, candidates, ledger, wanted);
  const { counts, displaced } = displace(request, candidates, ledger, wanted, settled);
  for (const [city, count] of counts) if (count > 0) assigned.set(city, (assigned.get(city) ?? 0) + count);
  const crowdedIn = crowded(request, assigned, ledger);
  enter(request, assigned, ledger);
  return { assigned, waiting: Math.max(0, request.replicas - total(assigned)), displaced, crowdedIn };
}

/** What a city is entered with: all that it may still run, unless the rest has been told to make room. */
export function enteredReplicas({
  assigned,
  held,
  isYielding,
}: Omit<PresentShare, 'ready' | 'isPinned'>): number {
  return isYielding ? assigned : Math.max(assigned, held);
}

type Counts = Map<string, number>;

/** What silent cities hold and may keep: where residency forbids it, nothing is meant to be, heard or not. */
function pinnedOf({ shares }: PlacementRequest, candidates: readonly Candidate[]): Counts {
  const pinned: Counts = new Map();
  for (const [name, { assigned, held, isPinned }] of shares) {
    const count = Math.min(assigned, held);
    if (!isPinned || count === 0) continue;
    const isForbidden = candidates.some(
      ({ city, verdict }) => city.name === name && verdict.kind === 'Forbidden',
    );
    if (!isForbidden) pinned.set(name, count);
  }
  return pinned;
}

/** The first group that takes all replicas without a last resort; without groups, all cities are one. */
function inOneGroup(
  request: PlacementRequest,
  candidates: readonly Candidate[],
  ledger: Ledger,
  wanted: number,
): Counts | undefined {
  const groups = request.placement.groups?.length ?? 1;
  for (let group = 0; group < groups; group++) {
    const slots = slotsFor(request, candidates, ledger, {
      takes: (candidate) => candidate.group === group,
      isLastResort: false,
    });
    const counts = divided(request, wanted, slots);
    if (total(counts) === wanted) return counts;
  }
  return undefined;
}

/**
 * Group after group, and the last resorts when all else is full: they take what is left over, and nothing that stands
 * elsewhere moves there.
 */
function inOrder(
  request: PlacementRequest,
  candidates: readonly Candidate[],
  ledger: Ledger,
  wanted: number,
): Counts {
  const takes = () => true;
  const first = divided(
    request,
    wanted,
    slotsFor(request, candidates, ledger, { takes, isLastResort: false }),
  );
  if (total(first) === wanted) return first;
  const slots = slotsFor(request, candidates, ledger, { takes, isLastResort: true, from: first });
  return divided(request, wanted, slots, Number.POSITIVE_INFINITY);
}

/** Where replicas still wait, those of a lower priority make room: as few as possible, and nobody else moves. */
function displace(
  request: PlacementRequest,
  candidates: readonly Candidate[],
  ledger: Ledger,
  wanted: number,
  settled: Counts,
): { counts: Counts; displaced: Map<string, readonly string[]> } {
  const displaced = new Map<string, readonly string[]>();
  if (total(settled) >= wanted) return { counts: settled, displaced };
  const slots = slotsFor(request, candidates, ledger, {
    ...{ takes: () => true, isLastResort: true },
    ...{ from: settled, displaces: true },
  });
  const counts = divided(request, wanted, slots, Number.POSITIVE_INFINITY);
  for (const [city, count] of counts) {
    const has = ledger.replicas(city, request.key);
    if (count > has + ledger.room(city, request.demand)) {
      displaced.set(city, ledger.makeRoom(city, request, count - has));
    }
  }
  return { counts, displaced };
}

function divided(
  { placement }: PlacementRequest,
  wanted: number,
  slots: readonly CitySlot[],
  tolerance?: number,
): Counts {
  return placement.spread
    ? divideOverDomains(wanted, slots, placement.spread, tolerance)
    : divide(wanted, slots, tolerance);
}

/** Where the service loses replicas and the city had given out more than it has. */
function crowded({ shares, demand }: PlacementRequest, assigned: Counts, ledger: Ledger): Set<string> {
  const cities = new Set<string>();
  for (const [city, share] of shares) {
    const isLess = (assigned.get(city) ?? 0) < share.assigned;
    if (isLess && ledger.room(city, demand) < 0) cities.add(city);
  }
  return cities;
}

function enter(request: PlacementRequest, assigned: Counts, ledger: Ledger): void {
  for (const [city, share] of request.shares) {
    const now = { ...share, assigned: assigned.get(city) ?? 0 };
    ledger.set(city, request, enteredReplicas(now));
  }
  for (const [city, count] of assigned) {
    if (!request.shares.has(city)) ledger.set(city, request, count);
  }
}

function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
