/** What the hub knows and remembers. Plain data: the hub's objects hold it, the simulator holds it in memory. */
import type { Placement, WaitingReason } from '../../../crds/placement.ts';
import type { City, Demand } from '../placement/city.ts';
import { type Claim, type ClaimReport, NO_CLAIM } from './claim.ts';
import type { Standing } from './standing.ts';
import type { Steadiness } from './steadiness.ts';
import type { View } from './vantage.ts';

/** What the user wants of a service. */
export interface ServiceIntent {
  /** Namespace and name. */
  readonly key: string;
  readonly priority: number;
  /** Guaranteed over all cities; 0 for a service that is being deleted. */
  readonly replicas: number;
  /** Never more than this over all cities: `spec.autoscaling.maxReplicas`, or `replicas`. */
  readonly maximum: number;
  readonly isAutoscaled: boolean;
  readonly placement: Placement;
  readonly demand: Demand;
}

/** What the hub remembers of a service in one city. */
export interface ShareRecord extends Claim {
  readonly city: string;
  /** Replicas that are meant for the city. */
  readonly assigned: number;
  readonly standing: Standing;
  /** The city is to make room for a service of a higher priority. */
  readonly isYielding: boolean;
  /** Since when guaranteed replicas are not ready in the city, as long as it is heard. */
  readonly missingSinceMs?: number;
}

/** A city in which replicas of a service did not become ready. */
export interface Unfit {
  /** How often. */
  readonly times: number;
  readonly untilMs: number;
}

/** What the hub remembers of a service. */
export interface ServiceRecord {
  readonly key: string;
  /** Of the last grant; every grant has a higher one. */
  readonly epoch: number;
  readonly shares: ReadonlyMap<string, ShareRecord>;
  /** Replicas without a city, and why. */
  readonly waiting: number;
  readonly why?: { readonly reason: WaitingReason; readonly message: string };
  /** Cities in which replicas did not become ready. */
  readonly unfit: ReadonlyMap<string, Unfit>;
  /** Begun while the hub had not heard of every city: somebody may hold what it does not know of. */
  readonly isProvisional: boolean;
  /** When the service began to move, while it does. */
  readonly movingSinceMs?: number;
}

export interface Service {
  readonly intent: ServiceIntent;
  /** Undefined for a service that the hub sees for the first time. */
  readonly record?: ServiceRecord;
}

/** What the hub knows of a city: its object, its last report, and when it was heard of on the hub's own clock. */
export interface CityKnowledge extends Omit<City, 'condition'> {
  /** Undefined when not in this hub's life: what was stored before says nothing about now. */
  readonly heardAtMs?: number;
  /** When it last reported all that it holds; undefined likewise. */
  readonly reportedAtMs?: number;
  readonly session?: string;
  /** By service, as last reported. */
  readonly claims: ReadonlyMap<string, ClaimReport>;
  readonly views: ReadonlyMap<string, View>;
  readonly steadiness: Steadiness;
}

export const NO_SHARES: ReadonlyMap<string, ShareRecord> = new Map();

export const ALL_FIT: ReadonlyMap<string, Unfit> = new Map();

export function newShare(city: string): ShareRecord {
  return { ...NO_CLAIM, city, assigned: 0, standing: { phase: 'Serving' }, isYielding: false };
}

/** What a city reports about a service that it holds nothing of. */
export const NOTHING_REPORTED: ClaimReport = {
  epoch: 0,
  floor: 0,
  ceiling: 0,
  running: 0,
  ready: 0,
  needed: 0,
};

/** All that the city may run: what it was granted, and pods that have not ended yet. */
export function mayRun(share: ShareRecord, report: ClaimReport = NOTHING_REPORTED): number {
  return Math.max(share.grant.floor, report.floor, report.running);
}
