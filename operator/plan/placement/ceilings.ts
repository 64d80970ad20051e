/**
 * How far the autoscaler of each city may go. What the service's maximum leaves beyond the guaranteed replicas is
 * split by what the load of each city needs, sticky as the replicas themselves: a city under pressure gets headroom
 * that another one does not use, and the sum over the cities never passes the maximum.
 */
import { divide } from './divide.ts';

export interface CeilingShare {
  readonly city: string;
  /** Replicas that the city guarantees, or is to guarantee. */
  readonly guaranteed: number;
  /** False for a city that is to have none in the end. */
  readonly takesMore: boolean;
  /** The ceiling that is granted now. */
  readonly ceiling: number;
  /** The city is silent: its ceiling stays as it is. */
  readonly isPinned: boolean;
  /** Replicas that the present load needs. */
  readonly needed: number;
  /** Replicas for which the city has room beside all guaranteed ones. */
  readonly room: number;
  readonly tie: number;
}

/** Headroom stays where it is until a city is so far from its part. */
function tolerance(headroom: number): number {
  return Math.max(1, headroom / 10);
}

/** @returns the ceiling of each city, at least what it guarantees */
export function ceilings(maximum: number, shares: readonly CeilingShare[]): Map<string, number> {
  const result = new Map<string, number>();
  let headroom = maximum;
  for (const { city, guaranteed, ceiling, isPinned } of shares) {
    const fixed = isPinned ? Math.max(guaranteed, ceiling) : guaranteed;
    result.set(city, fixed);
    headroom -= fixed;
  }
  const movable = shares.filter(({ isPinned, takesMore }) => !isPinned && takesMore);
  if (headroom <= 0 || movable.length === 0) return result;
  const extra = divide(
    headroom,
    movable.map(({ city, guaranteed, ceiling, needed, room, tie }) => ({
      key: city,
      tier: 0,
      weight: Math.max(guaranteed, needed),
      least: 0,
      most: Math.min(headroom, room),
      current: Math.max(0, ceiling - guaranteed),
      ready: Math.max(0, needed - guaranteed),
      tie,
    })),
    tolerance(headroom),
  );
  for (const [city, count] of extra) result.set(city, (result.get(city) ?? 0) + count);
  return result;
}
