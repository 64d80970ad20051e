/**
 * Whether the region has to be looked at now. A look in which nothing has changed since the one before decides nothing,
 * and in a large region it is most of what a hub would do: heartbeats alone come dozens of times in a second.
 */
import type { RegionOutcome } from './region.ts';
import type { CitySight } from './sights.ts';
import type { Touched } from './touched.ts';

/** @param last outcome of the last look, with its sights or those that were taken since without a look */
export function isLookDue(
  last: Pick<RegionOutcome, 'isRestless' | 'dueAtMs' | 'sights'>,
  sights: RegionOutcome['sights'],
  touched: Touched,
  nowMs: number,
): boolean {
  if (nowMs >= last.dueAtMs) return true;
  return last.isRestless || touched === 'All' || touched.size > 0 || hasTurned(last.sights, sights);
}

/** Whether the last look has changed nothing, and nothing that placement goes by has changed since. */
export function isQuiet(
  last: Pick<RegionOutcome, 'records' | 'sights'>,
  sights: RegionOutcome['sights'],
  touched: Touched,
): boolean {
  if (touched === 'All' || touched.size > 0 || last.records.size > 0) return false;
  if (last.sights.size !== sights.size || hasTurned(last.sights, sights)) return false;
  for (const [name, { isSilent }] of sights) if (isSilent !== last.sights.get(name)?.isSilent) return false;
  return true;
}

/** Whether a city has become late or has settled, or somebody tells how it stands with one that is late. */
function hasTurned(before: ReadonlyMap<string, CitySight>, after: ReadonlyMap<string, CitySight>): boolean {
  for (const [name, { isLate, steadiness, city, vantage }] of after) {
    const was = before.get(name);
    if (steadiness !== city.steadiness || isLate !== was?.isLate) return true;
    if (isLate && vantage().sees !== was.vantage().sees) return true;
  }
  return false;
}
