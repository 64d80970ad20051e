/** What is known of a service in each city that has, had or is to have something of it. */
import type { ClaimStatus } from '../../../crds/city-report.ts';
import type { ServiceRecord, ShareRecord } from '../failover/records.ts';
import type { CitySight } from '../failover/sights.ts';

export interface CityPart {
  readonly city: string;
  /** False: the city is silent, and the figures are what it said last. */
  readonly isHeard: boolean;
  readonly lastHeardAtMs?: number;
  /** Silent, and another city says that it is there. */
  readonly isSeenByOther: boolean;
  readonly isTwoAgents: boolean;
  readonly running: number;
  readonly ready: number;
  /** Pods that answer requests, those with an earlier model too. */
  readonly answering: number;
  /** Those of the ready ones that serve the wanted model, as far as is known. */
  readonly readyOfWanted: number;
  readonly share?: ShareRecord;
  /** What the city says of the service; undefined when it holds nothing. */
  readonly claim?: ClaimStatus;
  readonly url?: string;
}

export interface PartSources {
  readonly sights: ReadonlyMap<string, CitySight>;
  /** Identity of the wanted model. */
  readonly revision: string;
  claimOf(city: string, key: string): ClaimStatus | undefined;
  isTwoAgents(city: string): boolean;
  /** When the city was heard of last, also before this hub began. */
  lastHeardAtMs(city: string): number | undefined;
}

/** Sorted by the city's name. Of a city that is not in the record nothing is told but pods that still run. */
export function partsOf(record: ServiceRecord, sources: PartSources): CityPart[] {
  return [...record.shares.values()]
    .filter(({ city }) => sources.sights.has(city))
    .map((share) => partOf(record.key, share, sources))
    .sort((a, b) => (a.city < b.city ? -1 : 1));
}

function partOf(key: string, share: ShareRecord, sources: PartSources): CityPart {
  const { city } = share;
  const sight = sources.sights.get(city)!;
  const claim = sources.claimOf(city, key);
  const at = sources.lastHeardAtMs(city);
  return {
    city,
    isHeard: !sight.isLate,
    ...(at === undefined ? {} : { lastHeardAtMs: at }),
    isSeenByOther: sight.isLate && sight.vantage().sees === 'City',
    isTwoAgents: sources.isTwoAgents(city),
    running: claim?.running ?? 0,
    ready: claim?.ready ?? 0,
    answering: claim?.answering ?? claim?.ready ?? 0,
    readyOfWanted: servesOther(claim, sources.revision) ? 0 : (claim?.ready ?? 0),
    share,
    ...(claim ? { claim } : {}),
    ...(claim?.url ? { url: claim.url } : {}),
  };
}

function servesOther(claim: ClaimStatus | undefined, revision: string): boolean {
  return claim?.revision !== undefined && claim.revision !== revision;
}
