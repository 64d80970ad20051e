/** The status of a CityCluster: whether the city is there, what it has, and how far a drain is. */
import type { CityCluster, CityClusterStatus } from '../../../crds/city-cluster.ts';
import type { CityCondition, CityConditionType, CityReason } from '../../../crds/city-conditions.ts';
import type { CityReportBody } from '../../../crds/city-report.ts';
import { cityNamespace } from '../../../crds/region.ts';
import type { CitySight } from '../failover/sights.ts';
import type { Standing } from '../failover/standing.ts';
import { listed, replicaCount } from '../wording.ts';

/** What the hub's records say of one city. */
export interface CityHolding {
  /** Services that have something in the city, or may have. */
  readonly services: number;
  /** Guaranteed replicas that the city was given. */
  readonly guaranteed: number;
  /** Services whose replicas in the city have no other place. */
  readonly stuck: readonly string[];
  /** The gravest standing of the city towards any service. */
  readonly phases: ReadonlySet<Standing['phase']>;
  /** Services that the city runs and the hub knows nothing of. */
  readonly unknown: readonly string[];
}

export interface CitySituation {
  readonly city: Pick<CityCluster, 'metadata' | 'spec' | 'status'>;
  readonly report: CityReportBody | undefined;
  readonly sight: CitySight;
  readonly holding: CityHolding;
  readonly isTwoAgents: boolean;
  /** Another cluster that wants the name and stands back. */
  readonly contender?: string;
  readonly lastHeardAtMs?: number;
  /** Why the city cannot dial in. */
  readonly trouble?: { readonly reason: CityReason; readonly message: string };
  /** RFC 3339, whole seconds. */
  readonly now: string;
}

type Verdict = Pick<CityCondition, 'status' | 'reason' | 'message'>;

export function cityStatus(situation: CitySituation): CityClusterStatus {
  const { city, report, sight, holding, lastHeardAtMs, now } = situation;
  const { isAbsent, isSettling, losses, changedAtMs } = sight.steadiness;
  const { capacity, address, kubernetesVersion, operatorVersion, claims = {} } = report ?? {};
  const verdicts = { Ready: ready(situation), Joined: joined(situation), Drained: drained(situation) };
  return {
    observedGeneration: city.metadata.generation,
    namespace: cityNamespace(city.metadata.name),
    ...(address ? { address } : {}),
    ...(kubernetesVersion ? { kubernetesVersion } : {}),
    ...(operatorVersion ? { operatorVersion } : {}),
    ...(capacity ? { capacity, ...freeGpus(capacity) } : {}),
    services: holding.services,
    replicas: Object.values(claims).reduce((sum, { running }) => sum + running, 0),
    ...(sight.isLate && lastHeardAtMs !== undefined ? { lastHeardTime: inSeconds(lastHeardAtMs) } : {}),
    ...(changedAtMs > 0
      ? { steadiness: { isAbsent, isSettling, losses, changedAtMs: Math.round(changedAtMs) } }
      : {}),
    conditions: Object.entries(verdicts).map(([type, verdict]): CityCondition => {
      const before = city.status?.conditions?.find((condition) => condition.type === type);
      return {
        type: type as CityConditionType,
        ...verdict,
        observedGeneration: city.metadata.generation,
        lastTransitionTime: before?.status === verdict.status ? before.lastTransitionTime : now,
      };
    }),
  };
}

function ready(situation: CitySituation): Verdict {
  const { city, report, sight, holding, isTwoAgents, contender, trouble } = situation;
  const { name } = city.metadata;
  if (trouble) return { status: 'False', ...trouble };
  if (isTwoAgents) {
    return {
      status: 'False',
      reason: 'TwoAgents',
      message: `two clusters report as ${name}: nothing is given to either; uninstall the agent of one, or give it a CityCluster of its own`,
    };
  }
  // A Lease alone says nothing of what the city has: nothing could be placed there yet.
  if (report === undefined) {
    return {
      status: 'False',
      reason: 'NeverHeard',
      message: `${name} has not reported yet: install the operator there with the token of namespace ${cityNamespace(name)}`,
    };
  }
  if (sight.isLate) return silent(situation);
  if (sight.isSilent) return untilHeard(situation);
  if (city.spec.drain) {
    const { reason, message } = drained(situation);
    return { status: 'False', reason, message };
  }
  if (contender !== undefined) {
    return {
      status: 'True',
      reason: 'TwoAgents',
      message: `${name} is heard of; the cluster ${contender} wants to report as ${name} too and stands back: uninstall its agent, or give it a CityCluster of its own`,
    };
  }
  if (sight.steadiness.isSettling) {
    return {
      status: 'True',
      reason: 'Settling',
      message: `${name} is back after a loss; for a while it takes only what fits nowhere else`,
    };
  }
  if (holding.unknown.length > 0) {
    return {
      status: 'True',
      reason: 'UnknownServices',
      message: `${name} is heard of; it runs services of which this hub knows nothing and which are left alone: ${listed(holding.unknown)}`,
    };
  }
  return { status: 'True', reason: 'Heard', message: `${name} is heard of` };
}

function silent({ city, sight, holding }: CitySituation): Verdict {
  const { name } = city.metadata;
  const vantage = sight.vantage();
  if (vantage.sees === 'City') {
    return {
      status: 'Unknown',
      reason: 'SeenByOther',
      message: `${name} is cut off from the hub, but ${vantage.by} sees it: its replicas stay where they are`,
    };
  }
  if (holding.phases.has('Moving') || holding.phases.has('Moved')) {
    return {
      status: 'False',
      reason: 'Lost',
      message: `${name} is silent for longer than the grace: its replicas are started elsewhere`,
    };
  }
  return {
    status: 'Unknown',
    reason: 'Late',
    message: `${name} was not heard of in time; what it has counts until the grace of each service is over`,
  };
}

/** A hub that has just started leaves what is known as it is until the city has had its time to speak. */
function untilHeard({ city }: CitySituation): Verdict {
  const before = city.status?.conditions?.find(({ type }) => type === 'Ready');
  if (before && before.reason !== 'NeverHeard') {
    const { status, reason, message } = before;
    return { status, reason, message };
  }
  return {
    status: 'Unknown',
    reason: 'HubStarted',
    message: `the hub has just begun to listen to ${city.metadata.name}`,
  };
}

function joined({ city, report, trouble }: CitySituation): Verdict {
  if (report) return { status: 'True', reason: 'Reported', message: `${city.metadata.name} has reported` };
  return trouble
    ? { status: 'False', ...trouble }
    : {
        status: 'False',
        reason: 'NeverHeard',
        message: `${city.metadata.name} has not reported since it was added`,
      };
}

function drained({ city, report, holding }: CitySituation): Verdict {
  const { name } = city.metadata;
  if (!city.spec.drain) {
    return { status: 'False', reason: 'NotDraining', message: 'spec.drain is not set' };
  }
  const claims = Object.values(report?.claims ?? {});
  const running = claims.reduce((sum, claim) => sum + claim.running, 0);
  const left = Math.max(running, holding.guaranteed);
  if (left === 0) return { status: 'True', reason: 'Drained', message: `no replica is left in ${name}` };
  const state = `${replicaCount(left)} ${left === 1 ? 'is' : 'are'} left in ${name}`;
  return holding.stuck.length > 0
    ? {
        status: 'False',
        reason: 'DrainBlocked',
        message: `${state}: no other city has room for ${listed(holding.stuck)}`,
      }
    : {
        status: 'False',
        reason: 'Draining',
        message: `${state}; each leaves as soon as another is ready elsewhere`,
      };
}

/** Extended resources have the domain of their maker in their names. */
function freeGpus(capacity: NonNullable<CityReportBody['capacity']>): Pick<CityClusterStatus, 'free'> {
  const gpus = capacity.filter(({ resource }) => resource.includes('/'));
  if (gpus.length === 0) return {};
  const total = gpus.reduce((sum, gpu) => sum + gpu.total, 0);
  const used = gpus.reduce((sum, gpu) => sum + gpu.used, 0);
  return { free: `${Math.max(0, total - used)}/${total}` };
}

function inSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
