/**
 * Dividing over groups of cities (regions, providers, power grids) first and over the cities of each group then. The
 * counts of the groups all lie between m and m + maxSkew, with m as near as possible to what there is now; minGroups
 * gives one replica to so many groups before any gets a second.
 */
import type { Spread } from '../../../crds/placement.ts';
import { divide, type Slot } from './divide.ts';

export interface CitySlot extends Slot {
  /** Value of the topology key. */
  readonly domain: string;
}

interface Domain {
  readonly key: string;
  readonly members: CitySlot[];
  readonly tier: number;
  readonly weight: number;
  readonly most: number;
  readonly current: number;
  readonly ready: number;
  readonly tie: number;
}

interface Bounds {
  readonly total: number;
  readonly least: number;
  readonly most: number;
}

/**
 * What comes out is at rest: divided again it stays as it is. One rule can undo what another asked for, such as a group
 * that gives up a replica to one of minGroups and is then too far from what is fair; that is settled here, so that no
 * replica is started only to be moved at the next look.
 *
 * @param slots with one slot for every allowed city, those without room too: their groups count for the skew
 * @returns a count per city; the sum is less than `total` when there is no room, or when the spread does not allow more
 */
export function divideOverDomains(
  total: number,
  slots: readonly CitySlot[],
  spread: Spread,
  tolerance?: number,
): Map<string, number> {
  let from = slots;
  for (let round = 1; ; round++) {
    const counts = divideOnce(total, from, spread, tolerance);
    if (round === MOST_ROUNDS || from.every(({ key, current }) => counts.get(key) === current)) return counts;
    from = from.map((slot) => ({ ...slot, current: counts.get(slot.key) ?? 0 }));
  }
}

/** Two are the rule. */
const MOST_ROUNDS = 8;

function divideOnce(
  total: number,
  slots: readonly CitySlot[],
  spread: Spread,
  tolerance: number | undefined,
): Map<string, number> {
  const domains = choose(total, domainsOf(slots), spread);
  const few = tooFewDomains(domains, spread);
  const limited = few === undefined ? domains : domains.map((domain) => limit(domain, few));
  const counts = countsOf(total, limited, spread, tolerance);
  const result = new Map(slots.map(({ key }) => [key, 0]));
  for (const { key, members } of limited) {
    for (const [city, count] of divide(counts.get(key) ?? 0, members, tolerance)) result.set(city, count);
  }
  return result;
}

function countsOf(
  total: number,
  domains: readonly Domain[],
  spread: Spread,
  tolerance: number | undefined,
): Map<string, number> {
  const free = domains.map((domain) => ({ ...domain, least: 0 }));
  const within = (slots: readonly Slot[]): Map<string, number> => {
    if (spread.maxSkew === undefined) return divide(total, slots, tolerance);
    const unbound = divide(total, slots, tolerance);
    const bounds = boundsFor(total, domains, spread, [...unbound.values()]);
    return divide(
      bounds.total,
      slots.map((slot) => ({
        ...slot,
        least: Math.min(slot.most, Math.max(slot.least, bounds.least)),
        most: Math.min(slot.most, Math.max(slot.least, bounds.most)),
      })),
      tolerance,
    );
  };
  const counts = within(free);
  const withRoom = domains.filter(({ most }) => most > 0);
  const groups = Math.min(spread.minGroups ?? 0, total, withRoom.length);
  if ([...counts.values()].filter((count) => count > 0).length >= groups) return counts;
  const first = new Set(
    withRoom
      .sort(byClaim)
      .slice(0, groups)
      .map(({ key }) => key),
  );
  return within(free.map((slot) => ({ ...slot, least: first.has(slot.key) ? 1 : 0 })));
}

/** m and m + maxSkew, and how many replicas can stand between them. */
function boundsFor(
  total: number,
  domains: readonly Domain[],
  { maxSkew = 1, whenUnsatisfiable }: Spread,
  unbound: readonly number[],
): Bounds {
  const room = domains.map(({ most }) => most);
  const capacityAt = (most: number): number => room.reduce((sum, one) => sum + Math.min(one, most), 0);
  const highest = Math.min(Math.floor(total / Math.max(1, domains.length)), ...room);
  if (capacityAt(highest + maxSkew) < total) {
    if (whenUnsatisfiable === 'DoNotSchedule') {
      return { total: capacityAt(highest + maxSkew), least: highest, most: highest + maxSkew };
    }
    // As even as the room allows.
    let most = highest + maxSkew;
    while (most < total && capacityAt(most) < total) most++;
    return { total, least: highest, most };
  }
  let lowest = 0;
  while (capacityAt(lowest + maxSkew) < total) lowest++;
  const least = Math.min(highest, Math.max(lowest, Math.min(...unbound)));
  return { total, least, most: least + maxSkew };
}

/** As in Kubernetes with minDomains: with fewer groups than asked for, none may hold more than maxSkew. */
function tooFewDomains(
  domains: readonly Domain[],
  { minGroups, maxSkew = 1, whenUnsatisfiable }: Spread,
): number | undefined {
  const isFew = minGroups !== undefined && domains.filter(({ most }) => most > 0).length < minGroups;
  return isFew && whenUnsatisfiable === 'DoNotSchedule' ? maxSkew : undefined;
}

function limit(domain: Domain, most: number): Domain {
  return { ...domain, most: Math.min(domain.most, most) };
}

/** At most maxGroups: those with most of the present replicas; those with most room when all would not fit otherwise. */
function choose(total: number, domains: readonly Domain[], spread: Spread): readonly Domain[] {
  const { maxGroups, whenUnsatisfiable } = spread;
  if (maxGroups === undefined || domains.length <= maxGroups) return domains;
  const capacity = (chosen: readonly Domain[]): number => chosen.reduce((sum, { most }) => sum + most, 0);
  const kept = [...domains].sort(byClaim).slice(0, maxGroups);
  if (capacity(kept) >= total) return kept;
  const byRoom = [...domains].sort((a, b) => b.most - a.most || byClaim(a, b));
  const roomiest = byRoom.slice(0, maxGroups);
  if (whenUnsatisfiable === 'DoNotSchedule' || capacity(roomiest) >= total) {
    return capacity(roomiest) > capacity(kept) ? roomiest : kept;
  }
  let groups = maxGroups;
  while (groups < byRoom.length && capacity(byRoom.slice(0, groups)) < total) groups++;
  return byRoom.slice(0, groups);
}

function byClaim(a: Domain, b: Domain): number {
  return (
    b.current - a.current ||
    a.tier - b.tier ||
    b.weight - a.weight ||
    b.tie - a.tie ||
    (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  );
}

function domainsOf(slots: readonly CitySlot[]): Domain[] {
  const members = new Map<string, CitySlot[]>();
  for (const slot of slots) {
    const domain = members.get(slot.domain);
    if (domain) domain.push(slot);
    else members.set(slot.domain, [slot]);
  }
  const total = (of: readonly CitySlot[], amount: (slot: CitySlot) => number): number =>
    of.reduce((sum, slot) => sum + amount(slot), 0);
  return [...members].map(([key, of]) => ({
    key,
    members: of,
    tier: of.reduce(
      (tier, slot) => (slot.most > 0 ? Math.min(tier, slot.tier) : tier),
      Number.MAX_SAFE_INTEGER,
    ),
    weight: total(of, ({ weight }) => weight),
    most: total(of, ({ most }) => most),
    current: total(of, ({ current, most }) => Math.min(current, most)),
    ready: total(of, ({ ready }) => ready),
    tie: of.reduce((tie, slot) => Math.max(tie, slot.tie), 0),
  }));
}
