/** What the hub would decide if services were applied: its own look, on its own objects, without writing any. */
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { CityReason } from '../../crds/city-conditions.ts';
import type { CityReport } from '../../crds/city-report.ts';
import type { ModelService } from '../../crds/model-service.ts';
import type { PlacementDecision } from '../../crds/placement.ts';
import { cityNamespace } from '../../crds/region.ts';
import { decisionsOf } from '../plan/failover/decisions.ts';
import type { CityKnowledge, Service, ServiceRecord } from '../plan/failover/records.ts';
import { lookAtRegion } from '../plan/failover/region.ts';
import { rhythmFor, settingsFor } from '../plan/failover/rhythm.ts';
import { ALWAYS_THERE } from '../plan/failover/steadiness.ts';
import { knowledgeOf, NO_REPORT, readReport } from '../plan/hub/city-knowledge.ts';
import { NOTHING_HEARD } from '../plan/hub/ear.ts';
import { intentOf, serviceKey, shortestGraceMs } from '../plan/hub/intent.ts';
import { serviceRecord } from '../plan/hub/record-status.ts';

/** Everything that a hub keeps of its region. */
export interface HubObjects {
  readonly cities: readonly CityCluster[];
  readonly reports: readonly CityReport[];
  readonly services: readonly ModelService[];
}

export interface Forecast {
  /** Namespace and name. */
  readonly key: string;
  readonly isProposed: boolean;
  readonly wanted: number;
  /** By city: replicas that it was told to guarantee. */
  readonly before: ReadonlyMap<string, number>;
  readonly after: readonly PlacementDecision[];
  /** Replicas without a city, and why. */
  readonly waiting: number;
  readonly why?: string;
}

/** Long enough ago that a city which is not heard counts as late. */
const AWAKE_MS = 24 * 3_600_000;

/**
 * @param proposed as the API server would store them
 * @returns one for each proposed service that is placed, then one for each other service whose replicas would move
 */
export function forecast(hub: HubObjects, proposed: readonly ModelService[], nowMs: number): Forecast[] {
  const keys = new Set(proposed.map(serviceKey));
  const others = hub.services.filter((service) => !keys.has(serviceKey(service)));
  const before = new Map(hub.services.map((service) => [serviceKey(service), service]));
  const services = [...proposed, ...others].flatMap((service): Service[] => {
    const intent = intentOf(service);
    const remembered = before.get(serviceKey(service))?.status?.placement;
    if (!intent) return [];
    return [{ intent, ...(remembered && { record: serviceRecord(intent.key, remembered, nowMs) }) }];
  });
  const outcome = lookAtRegion({
    nowMs,
    awakeSinceMs: nowMs - AWAKE_MS,
    settings: settingsFor(rhythmFor(shortestGraceMs(services.map(({ intent }) => intent)))),
    cities: hub.cities.map((city) => cityKnowledge(city, hub.reports, nowMs)),
    services,
  });
  return services.flatMap(({ intent, record }): Forecast[] => {
    const after = outcome.records.get(intent.key) ?? record;
    const isProposed = keys.has(intent.key);
    if (!after || !(isProposed || moves(record, after))) return [];
    return [
      {
        key: intent.key,
        isProposed,
        wanted: intent.replicas,
        before: new Map([...(record?.shares ?? [])].map(([city, { grant }]) => [city, grant.floor])),
        after: decisionsOf(intent, after, outcome.sights),
        waiting: after.waiting,
        ...(after.why && { why: after.why.message }),
      },
    ];
  });
}

function moves(before: ServiceRecord | undefined, after: ServiceRecord): boolean {
  const assigned = (record?: ServiceRecord) =>
    [...(record?.shares.values() ?? [])]
      .map(({ city, assigned, isYielding }) => `${city} ${assigned} ${isYielding}`)
      .sort()
      .join();
  return assigned(before) !== assigned(after) || (before?.waiting ?? 0) !== after.waiting;
}

/** A city is heard when the hub says so: it alone knows when it saw the last heartbeat. */
function cityKnowledge(city: CityCluster, reports: readonly CityReport[], nowMs: number): CityKnowledge {
  const namespace = cityNamespace(city.metadata.name);
  const { report } = reports.find(({ metadata }) => metadata.namespace === namespace) ?? {};
  const ready = city.status?.conditions?.find(({ type }) => type === 'Ready');
  const isHeard = report !== undefined && ready !== undefined && !NOT_HEARD.has(ready.reason);
  return knowledgeOf(
    city,
    readReport(report, NO_REPORT),
    isHeard ? { ...NOTHING_HEARD, heardAtMs: nowMs, reportedAtMs: nowMs } : NOTHING_HEARD,
    city.status?.steadiness ?? ALWAYS_THERE,
    ready?.reason === 'TwoAgents' && ready.status === 'False',
  );
}

const NOT_HEARD: ReadonlySet<CityReason> = new Set([
  'NeverHeard',
  'HubStarted',
  'Late',
  'SeenByOther',
  'Lost',
]);
