/** What the hub knows of a city: what people wrote, what the city reported, and what was heard of it. */
import type { CityCluster, Taint } from '../../../crds/city-cluster.ts';
import type { CityReportBody } from '../../../crds/city-report.ts';
import type { ClaimReport } from '../failover/claim.ts';
import type { CityKnowledge } from '../failover/records.ts';
import type { Steadiness } from '../failover/steadiness.ts';
import type { Hearing } from './ear.ts';

type Claims = CityKnowledge['claims'];

/** Read once for each report: most looks find the same one. */
export interface ReadReport {
  readonly session?: string;
  readonly capacity: Readonly<Record<string, number>>;
  readonly claims: Claims;
}

export const NO_REPORT: ReadReport = { capacity: {}, claims: new Map() };

/** @param before what was read of the report before: claims that are the same stay the same objects */
export function readReport(report: CityReportBody | undefined, before: ReadReport): ReadReport {
  if (!report) return NO_REPORT;
  return {
    session: report.session,
    capacity: Object.fromEntries(
      (report.capacity ?? []).map(({ resource, forShares }) => [resource, forShares]),
    ),
    claims: new Map(
      Object.entries(report.claims ?? {}).map(([key, status]) => {
        const known = before.claims.get(key);
        const { epoch, floor, ceiling, running, ready, needed } = status;
        const claim: ClaimReport = { epoch, floor, ceiling, running, ready, needed };
        return [key, known && isSame(known, claim) ? known : claim];
      }),
    ),
  };
}

function isSame(a: ClaimReport, b: ClaimReport): boolean {
  return (
    a.epoch === b.epoch &&
    a.floor === b.floor &&
    a.ceiling === b.ceiling &&
    a.running === b.running &&
    a.ready === b.ready &&
    a.needed === b.needed
  );
}

/** Keeps what is there and gives nothing new, whatever a service tolerates. */
const TWO_AGENTS: Taint = { key: 'aicity.io/two-agents', effect: 'NoSchedule' };

/** @param isDoubled two clusters report under this name: nothing is given to either, and nothing is taken */
export function knowledgeOf(
  { metadata, spec }: Pick<CityCluster, 'metadata' | 'spec'>,
  { session, capacity, claims }: ReadReport,
  { heardAtMs, reportedAtMs, views }: Hearing,
  steadiness: Steadiness,
  isDoubled: boolean,
): CityKnowledge {
  const { taints = [], drain, pricePerHour, carbonIntensity } = spec;
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    taints: isDoubled ? [...taints, TWO_AGENTS] : taints,
    isDraining: drain,
    capacity,
    claims,
    views,
    steadiness,
    ...(pricePerHour === undefined ? {} : { pricePerHour }),
    ...(carbonIntensity === undefined ? {} : { carbonIntensity }),
    ...(heardAtMs === undefined ? {} : { heardAtMs }),
    ...(reportedAtMs === undefined ? {} : { reportedAtMs }),
    ...(session === undefined || isDoubled ? {} : { session }),
  };
}

/** Services of which two reports say something else, be it only for people. */
export function differingClaims(
  before: CityReportBody | undefined,
  after: CityReportBody | undefined,
): Set<string> {
  const [old, now] = [before?.claims ?? {}, after?.claims ?? {}];
  const keys = Object.keys({ ...old, ...now });
  return new Set(keys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(now[key])));
}
