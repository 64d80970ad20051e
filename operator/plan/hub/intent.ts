/** What a ModelService wants of the region. */
import type { ModelService, ModelServiceSpec } from '../../../crds/model-service.ts';
import { containerResources } from '../container-resources.ts';
import type { ServiceIntent } from '../failover/records.ts';
import type { Demand } from '../placement/city.ts';
import { quantityValue } from '../quantity.ts';

export function serviceKey({ metadata }: Pick<ModelService, 'metadata'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** @returns undefined for a service that is not placed over cities, and for one that is being deleted */
export function intentOf(service: ModelService): ServiceIntent | undefined {
  const { placement, replicas, autoscaling } = service.spec;
  if (!placement || service.metadata.deletionTimestamp !== undefined) return undefined;
  return {
    key: serviceKey(service),
    priority: placement.priority,
    replicas,
    maximum: Math.max(replicas, autoscaling?.maxReplicas ?? 0),
    isAutoscaled: autoscaling !== undefined,
    placement,
    demand: demandOf(service.spec),
  };
}

/** What one replica asks for, as the scheduler of a city will count it: requests, and limits where there is no request. */
export function demandOf(spec: Pick<ModelServiceSpec, 'resources' | 'gpu'>): Demand {
  const { requests, limits } = containerResources(spec);
  return Object.entries({ ...limits, ...requests })
    .map(([resource, amount]) => ({ resource, amount: quantityValue(amount) }))
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => (a.resource < b.resource ? -1 : 1));
}

/** The rhythm of all cities follows the least patient service. */
export function shortestGraceMs(intents: Iterable<ServiceIntent>): number {
  let shortest = DEFAULT_GRACE_SECONDS;
  for (const { placement } of intents) shortest = Math.min(shortest, placement.failover.graceSeconds);
  return shortest * 1000;
}

const DEFAULT_GRACE_SECONDS = 90;
