/**
 * Whether the region has to be looked at now. A look in which nothing has changed since the one before decides nothing,
 * and in a large region it is most of what a hub would do: heartbeats alone come dozens of times in a second.
 */
import type { RegionOutcome } from './region.ts';
import type { CitySight } from './sights.ts';
import type { Touched } from './touched.ts';

/** @param last outcome of the last look, with its sights or those that were taken since without a look */
export function isLookDue(
  last: Pick<RegionOutcome, 'isRestless' | 'sights'>,
  sights: RegionOutcome['sights'],
  touched: Touched,
): boolean {
  return last.isRestless || touched === 'All' || touched.size > 0 || hasTurned(last.sights, sights);
}

/** Whether a city has become late or has settled, or somebody tells how it stands with one that is late. */
export function hasTurned(
  before: ReadonlyMap<string, CitySight>,
  after: ReadonlyMap<string, CitySight>,
): boolean {
  for (const [name, { isLate, steadiness, city, vantage }] of after) {
    const was = before.get(name);
    if (steadiness !== city.steadiness || isLate !== was?.isLate) return true;
    if (isLate && vantage().sees !== was.vantage().sees) return true;
  }
  return false;
}
