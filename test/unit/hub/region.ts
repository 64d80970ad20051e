/** A small region as the hub knows it, for tests of what it tells. */
import type { ClaimStatus } from '../../../crds/city-report.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import {
  ALL_FIT,
  newShare,
  type ServiceRecord,
  type ShareRecord,
} from '../../../operator/plan/failover/records.ts';
import { rhythmFor, settingsFor } from '../../../operator/plan/failover/rhythm.ts';
import { type CitySight, sightsOf } from '../../../operator/plan/failover/sights.ts';
import { ALWAYS_THERE } from '../../../operator/plan/failover/steadiness.ts';
import { intentOf } from '../../../operator/plan/hub/intent.ts';
import { type SummarySources, summarisePlaced } from '../../../operator/plan/hub/summary.ts';
import { serviceWith } from '../plan/builders.ts';

export const NOW = Date.parse('2026-03-01T12:00:00Z');
export const KEY = 'city/traffic';

export interface CityPlay {
  /** Replicas that the city is to have, and was granted. */
  readonly assigned?: number;
  readonly share?: Partial<ShareRecord>;
  readonly claim?: Partial<ClaimStatus> | undefined;
  readonly silentSeconds?: number;
  /** What it sees of others. */
  readonly sees?: Readonly<Record<string, boolean>>;
}

export type RegionPlay = Readonly<Record<string, CityPlay>>;

const grant = (replicas: number) => ({ epoch: 1, session: 's', floor: replicas, ceiling: replicas });

export function sightsIn(region: RegionPlay): Map<string, CitySight> {
  const cities = Object.entries(region).map(([name, play]) => {
    const { silentSeconds = 0, sees = {} } = play;
    const claim = claimIn(play);
    return {
      name,
      labels: {},
      taints: [],
      isDraining: false,
      capacity: {},
      heardAtMs: NOW - silentSeconds * 1000,
      reportedAtMs: NOW - silentSeconds * 1000,
      session: 's',
      claims: new Map(claim ? [[KEY, claim]] : []),
      views: new Map(Object.entries(sees).map(([city, seen]) => [city, { sees: seen, atMs: NOW }])),
      steadiness: ALWAYS_THERE,
    };
  });
  return sightsOf(cities, NOW, NOW - 3_600_000, settingsFor(rhythmFor(90_000)));
}

export function recordIn(region: RegionPlay, more: Partial<ServiceRecord> = {}): ServiceRecord {
  const shares = Object.entries(region).map(([city, { assigned = 0, share }]): ShareRecord => {
    return { ...newShare(city), assigned, grant: grant(assigned), mayHold: assigned, ...share };
  });
  return {
    key: KEY,
    epoch: 1,
    shares: new Map(shares.map((share) => [share.city, share])),
    waiting: 0,
    unfit: ALL_FIT,
    isProvisional: false,
    ...more,
  };
}

export function placed(spec: object = {}, more: Partial<ModelService> = {}): ModelService {
  return serviceWith({ replicas: 5, placement: {}, ...spec }, more);
}

export function summaryOf(
  region: RegionPlay,
  {
    service = placed(),
    record = {},
    sources = {},
  }: {
    service?: ModelService;
    record?: Partial<ServiceRecord>;
    sources?: Partial<SummarySources>;
  } = {},
) {
  return summarisePlaced(service, intentOf(service)!, recordIn(region, record), {
    sights: sightsIn(region),
    refusals: [],
    now: '2026-03-01T12:00:00Z',
    claimOf: (city) => claimIn(region[city]),
    isTwoAgents: () => false,
    lastHeardAtMs: (city) => NOW - (region[city]?.silentSeconds ?? 0) * 1000,
    ...sources,
  });
}

function claimIn(play: CityPlay | undefined): ClaimStatus | undefined {
  if (!play?.claim) return undefined;
  const { assigned = 0 } = play;
  return {
    epoch: 1,
    floor: assigned,
    ceiling: assigned,
    running: assigned,
    ready: assigned,
    needed: 0,
    reason: 'Serving',
    ...play.claim,
  };
}
