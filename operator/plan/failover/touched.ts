/** Which services have to be looked at again because something has become known of a city. */
import type { ClaimReport } from './claim.ts';
import type { CityKnowledge } from './records.ts';
import { hasSpoken } from './sights.ts';

/** `All`: the city has changed in something that may concern any service. */
export type Touched = 'All' | ReadonlySet<string>;

/** @param before what the last look knew; undefined for a city that it did not know */
export function touchedBy(
  before: CityKnowledge | undefined,
  after: CityKnowledge,
  awakeSinceMs: number,
): Touched {
  if (!before || concernsAll(before, after)) return 'All';
  // Until a city is heard nothing is changed in it; then everything may be.
  if (!hasSpoken(before, awakeSinceMs) && hasSpoken(after, awakeSinceMs)) return 'All';
  const keys = new Set<string>();
  for (const [key, claim] of after.claims) if (!isSameClaim(before.claims.get(key), claim)) keys.add(key);
  for (const key of before.claims.keys()) if (!after.claims.has(key)) keys.add(key);
  return keys;
}

function concernsAll(before: CityKnowledge, after: CityKnowledge): boolean {
  return (
    before.session !== after.session ||
    before.isDraining !== after.isDraining ||
    before.pricePerHour !== after.pricePerHour ||
    before.carbonIntensity !== after.carbonIntensity ||
    hasComeBack(before, after) ||
    !isSame(before.labels, after.labels) ||
    !isSame(before.capacity, after.capacity) ||
    before.taints.length !== after.taints.length ||
    before.taints.some((taint, at) => !isSame(taint, after.taints[at]!))
  );
}

/** A city that goes concerns those that have something there, and they are restless; one that comes may suit anybody. */
function hasComeBack(before: CityKnowledge, after: CityKnowledge): boolean {
  return before.steadiness !== after.steadiness && !after.steadiness.isAbsent;
}

function isSameClaim(a: ClaimReport | undefined, b: ClaimReport): boolean {
  return (
    a?.epoch === b.epoch &&
    a.ready === b.ready &&
    a.running === b.running &&
    a.needed === b.needed &&
    a.floor === b.floor &&
    a.ceiling === b.ceiling
  );
}

function isSame(a: object, b: object): boolean {
  const [left, right] = [Object.entries(a), Object.entries(b)];
  const other = b as Record<string, unknown>;
  return left.length === right.length && left.every(([key, value]) => other[key] === value);
}
