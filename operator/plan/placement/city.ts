/** What placement knows of a city and of a service. Plain data, gathered by the hub. */
import { CITY_LABEL, type Taint } from '../../../crds/city-cluster.ts';
import type { Placement } from '../../../crds/placement.ts';
import type { Labels } from './label-selector.ts';

/**
 * `Steady`: heard of lately. `Settling`: back after a loss, not yet for long; takes only what fits nowhere else.
 * `Silent`: not heard of; nothing new can be given to it.
 */
export type CityCondition = 'Steady' | 'Settling' | 'Silent';

export interface City {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly isDraining: boolean;
  readonly condition: CityCondition;
  /** By resource, in base units: what shares may use altogether. A resource that is not named is not there. */
  readonly capacity: Readonly<Record<string, number>>;
  readonly pricePerHour?: number;
  readonly carbonIntensity?: number;
}

/** What one replica needs. */
export type Demand = readonly { readonly resource: string; readonly amount: number }[];

/** What a service has in one city when placement begins. */
export interface PresentShare {
  /** Replicas that were meant for the city at the last decision. */
  readonly assigned: number;
  readonly ready: number;
  /** Replicas that the city was told to guarantee and may still run. */
  readonly held: number;
  /** The city is silent and may well be serving: what it holds of the assigned ones stays counted. */
  readonly isPinned: boolean;
  /** The replicas are on their way out for a higher priority; their room counts as free. */
  readonly isYielding: boolean;
}

export interface PlacementRequest {
  /** Namespace and name. */
  readonly key: string;
  readonly priority: number;
  readonly replicas: number;
  readonly placement: Placement;
  readonly demand: Demand;
  readonly shares: ReadonlyMap<string, PresentShare>;
  /** Cities in which replicas have not become ready: they keep what is ready and are a last resort for more. */
  readonly unfit?: ReadonlySet<string>;
}

/** The labels of a city together with the one that every city has. */
export function labelsOf({ name, labels }: Pick<City, 'name' | 'labels'>): Labels {
  return { ...labels, [CITY_LABEL]: name };
}
