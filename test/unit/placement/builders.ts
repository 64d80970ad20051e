/** Cities and requests for placement tests: everything has a default, a test names what matters to it. */
import { Placement } from '../../../crds/placement.ts';
import type { City, PlacementRequest, PresentShare } from '../../../operator/plan/placement/city.ts';
import type { Placed } from '../../../operator/plan/placement/place.ts';

export const GPU = 'nvidia.com/gpu';

/** A steady city with so many GPUs. */
export function city(name: string, gpus = 8, more: Partial<City> = {}): City {
  return {
    name,
    labels: {},
    taints: [],
    isDraining: false,
    condition: 'Steady',
    capacity: { [GPU]: gpus },
    ...more,
  };
}

/** What a user writes, with defaults filled in as the API server does. */
export function placement(spec: object = {}): Placement {
  return Placement.parse(spec);
}

/** A service that needs one GPU per replica. */
export function request(replicas: number, more: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    key: 'default/traffic',
    priority: 0,
    replicas,
    placement: placement(),
    demand: [{ resource: GPU, amount: 1 }],
    shares: new Map(),
    ...more,
  };
}

/** Replicas that stand and are ready. */
export function present(assigned: number, more: Partial<PresentShare> = {}): PresentShare {
  return { assigned, ready: assigned, held: assigned, isPinned: false, isYielding: false, ...more };
}

export function sharesOf(counts: Readonly<Record<string, number>>): Map<string, PresentShare> {
  return new Map(Object.entries(counts).map(([name, count]) => [name, present(count)]));
}

export function countsOf({ assigned }: Pick<Placed, 'assigned'>): Record<string, number> {
  return Object.fromEntries([...assigned].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** How many replicas of `before` are no longer where they were. */
export function movedAway(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...before].reduce((sum, [key, count]) => sum + Math.max(0, count - (after.get(key) ?? 0)), 0);
}
