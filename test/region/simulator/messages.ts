/** What hub and cities say to each other, in the simulator as on real clusters: one report up, the open grants down. */
import type { ClaimReport, Grant } from '../../../operator/plan/failover/claim.ts';

export interface Report {
  readonly city: string;
  readonly session: string;
  /** Higher than in any report before; an older report that arrives late is not listened to. */
  readonly sequence: number;
  readonly capacity: Readonly<Record<string, number>>;
  readonly claims: ReadonlyMap<string, ClaimReport>;
  readonly views: ReadonlyMap<string, { readonly sees: boolean; readonly ageMs: number }>;
}

export interface Grants {
  readonly grants: ReadonlyMap<string, Grant>;
  /** The report that this answers; undefined when the hub speaks first. */
  readonly answers?: number;
}
