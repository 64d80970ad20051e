/** What the city has, what is used, and what shares may use altogether. */
import type { CityCapacity } from '../../../crds/city-report.ts';

/** What a node offers or a pod takes, by resource, in base units: cores, bytes, devices. */
export type Amounts = Readonly<Record<string, number>>;

export interface CapacityNode {
  /** Ready and not cordoned. */
  readonly usable: boolean;
  readonly offers: Amounts;
}

/** A pod that has a node; others use nothing. */
export interface CapacityPod {
  readonly takes: Amounts;
  /** Of a service that came from the hub. */
  readonly isOfShare: boolean;
}

/** Finer changes of processor and memory than this part of the total are not worth telling. */
const STEPS = 100;

/**
 * Per resource: `forShares = total − what pods of other workloads take`, never below 0. Devices are exact; of processor
 * and memory `forShares` is rounded down and `used` up, so that the hub never counts on what is not there.
 */
export function capacityOf(nodes: readonly CapacityNode[], pods: readonly CapacityPod[]): CityCapacity[] {
  const total = sum(nodes.filter(({ usable }) => usable).map(({ offers }) => offers));
  const used = sum(pods.map(({ takes }) => takes));
  const others = sum(pods.filter(({ isOfShare }) => !isOfShare).map(({ takes }) => takes));
  return [...total.keys()]
    .sort()
    .slice(0, MOST_RESOURCES)
    .map((resource) => {
      const all = total.get(resource)!;
      const step = resource.includes('/') ? 1 : all / STEPS;
      const free = Math.max(0, all - (others.get(resource) ?? 0));
      return {
        resource,
        total: all,
        forShares: free === all ? all : rounded(Math.floor(free / step + EPSILON) * step),
        used: rounded(Math.ceil((used.get(resource) ?? 0) / (step || 1) - EPSILON) * step),
      };
    });
}

/** As many as a CityReport takes. */
const MOST_RESOURCES = 64;
const EPSILON = 1e-9;

/** Without the noise of binary fractions. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

function sum(amounts: readonly Amounts[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const one of amounts) {
    for (const [resource, amount] of Object.entries(one)) {
      totals.set(resource, (totals.get(resource) ?? 0) + amount);
    }
  }
  return totals;
}
