/** The status of a service on a hub: what all cities have of it, as far as is known, in one object. */
import type { ConditionType, ServiceCondition } from '../../../crds/conditions.ts';
import type { CityShareStatus, ModelService, ModelServiceStatus } from '../../../crds/model-service.ts';
import { REGION_LABELS } from '../../../crds/region.ts';
import { modelRevision } from '../assignment.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { decisionsOf } from '../failover/decisions.ts';
import type { ServiceIntent, ServiceRecord } from '../failover/records.ts';
import { judgePlaced, type PlacedConditionType } from './conditions.ts';
import { endpointsOf } from './endpoints.ts';
import { regionLoad } from './load.ts';
import { type CityPart, type PartSources, partsOf } from './parts.ts';
import { placementStatus } from './record-status.ts';

export interface SummarySources extends Omit<PartSources, 'revision'> {
  /** Why shares of the service cannot be written. */
  readonly refusals: readonly string[];
  /** Of `Routed`; absent while the route has not been looked at. */
  readonly routed?: Verdict | undefined;
  /** RFC 3339, whole seconds. */
  readonly now: string;
}

export function summarisePlaced(
  service: ModelService,
  intent: ServiceIntent,
  record: ServiceRecord,
  sources: SummarySources,
): ModelServiceStatus {
  const { generation, name } = service.metadata;
  const revision = modelRevision(service.spec.model);
  const parts = partsOf(record, { ...sources, revision });
  const heard = parts.filter(({ isHeard }) => isHeard);
  const sum = (of: (part: CityPart) => number) => heard.reduce((total, part) => total + of(part), 0);
  const ready = sum(({ readyOfWanted }) => readyOfWanted);
  const load = regionLoad(heard, service.status?.load);
  const version = servedVersion(heard);
  const verdicts = judgePlaced({ intent, record, parts, ready, refusals: sources.refusals });
  const [cities, endpoints] = [parts.map((part) => cityStatus(part)), endpointsOf(parts)];
  const decisions = decisionsOf(intent, record, sources.sights);
  return {
    observedGeneration: generation,
    replicas: sum(({ running }) => running),
    readyReplicas: ready,
    readyOfWanted: `${Math.min(ready, intent.replicas)}/${intent.replicas}`,
    // Matches the shares, which are no pods: an autoscaler on the hub measures the service itself (docs/region.md).
    selector: `${REGION_LABELS.serviceName}=${name}`,
    model: { revision, ...(version === undefined ? {} : { version }) },
    ...(load ? { load } : {}),
    ...(cities.length > 0 ? { cities } : {}),
    ...(decisions.length > 0 ? { decisions } : {}),
    ...(endpoints.length > 0 ? { endpoints } : {}),
    placement: placementStatus(record),
    conditions: [
      ...(Object.keys(verdicts) as PlacedConditionType[]).map((type) => condition(type, verdicts[type])),
      ...routedCondition(),
    ],
  };

  function condition(type: ConditionType, verdict: Verdict): ServiceCondition {
    const before = conditionBefore(type);
    return {
      type,
      ...verdict,
      observedGeneration: generation,
      lastTransitionTime: before?.status === verdict.status ? before.lastTransitionTime : sources.now,
    };
  }

  /** What a new leader has not looked at yet stays as the one before it has left it. */
  function routedCondition(): ServiceCondition[] {
    if (!service.spec.placement?.route) return [];
    const before = conditionBefore('Routed');
    if (sources.routed) return [condition('Routed', sources.routed)];
    return before ? [before] : [];
  }

  function conditionBefore(type: ConditionType): ServiceCondition | undefined {
    return service.status?.conditions?.find((one) => one.type === type);
  }
}

function cityStatus({
  city,
  isHeard,
  lastHeardAtMs,
  running,
  ready,
  share,
  claim,
}: CityPart): CityShareStatus {
  const { floor = 0, ceiling = 0 } = share?.grant ?? {};
  return {
    city,
    known: isHeard,
    ...(isHeard || lastHeardAtMs === undefined ? {} : { lastHeardTime: inSeconds(lastHeardAtMs) }),
    replicas: running,
    readyReplicas: ready,
    guaranteed: floor,
    maxReplicas: ceiling,
    ...(claim?.version === undefined ? {} : { version: claim.version }),
    ...(claim?.busyPercent === undefined ? {} : { busyPercent: claim.busyPercent }),
    ...(claim?.requestsPerSecond === undefined ? {} : { requestsPerSecond: claim.requestsPerSecond }),
    ...(claim?.reason === undefined ? {} : { reason: claim.reason }),
    ...(claim?.message === undefined ? {} : { message: claim.message }),
  };
}

function inSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** The version that most of the ready replicas serve. */
function servedVersion(parts: readonly CityPart[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { claim, ready } of parts) {
    if (claim?.version !== undefined && ready > 0) {
      counts.set(claim.version, (counts.get(claim.version) ?? 0) + ready);
    }
  }
  return [...counts].sort(([a, few], [b, many]) => many - few || (a < b ? -1 : 1))[0]?.[0];
}
