/** How many GPUs there are, who uses them, and how many more replicas fit. */
import type { Toleration } from './pod-placement.ts';

/** What nodes offer and pods claim, for every extended resource. */
export interface GpuSupply {
  readonly nodes: readonly GpuNode[];
  readonly claims: readonly GpuClaim[];
}

export interface GpuNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly ready: boolean;
  /** Ready and not cordoned. */
  readonly usable: boolean;
  /** Whole devices by resource name. */
  readonly devices: Readonly<Record<string, number>>;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** Devices that a pod holds, or waits for while it has no node. Pods that have ended claim nothing. */
export interface GpuClaim {
  readonly namespace: string;
  /** Who people know the pod as: the service that it belongs to, else its application or its own name. */
  readonly user: string;
  readonly nodeName?: string;
  readonly devices: Readonly<Record<string, number>>;
}

/** What one replica needs. */
export interface GpuDemand {
  readonly resource: string;
  readonly count: number;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
}

/** The supply as seen by one service. */
export interface GpuSituation {
  /** Nodes that replicas may go to and that offer the resource. */
  readonly nodes: number;
  /** Nodes that offer the resource, whether or not replicas may go there. */
  readonly nodesAnywhere: number;
  readonly total: number;
  readonly free: number;
  /** What the largest of those nodes has, used or free. */
  readonly largest: number;
  /** Replicas that fit now, after the pods that already wait for the same resource. */
  readonly fits: number;
  /** Users of the GPUs on those nodes, the biggest first. */
  readonly users: readonly { readonly namespace: string; readonly user: string; readonly devices: number }[];
  /** GPU-like resources that usable nodes offer. */
  readonly offered: readonly string[];
}

export function gpuSituation(supply: GpuSupply, demand: GpuDemand): GpuSituation {
  const { resource, count } = demand;
  const claims = supply.claims.filter(({ devices }) => (devices[resource] ?? 0) > 0);
  const offering = supply.nodes.filter(({ devices }) => (devices[resource] ?? 0) > 0);
  const eligible = offering.filter((node) => accepts(node, demand));
  const names = new Set(eligible.map(({ name }) => name));
  const held = claims.filter(({ nodeName }) => nodeName !== undefined && names.has(nodeName));
  const heldByNode = sumBy(held, resource, ({ nodeName }) => nodeName!);
  const free = eligible.map(({ name, devices }) =>
    Math.max(0, devices[resource]! - (heldByNode.get(name) ?? 0)),
  );
  const waiting = sum(
    claims.filter(({ nodeName }) => nodeName === undefined).map((c) => c.devices[resource]!),
  );
  const room = sum(free.map((devices) => Math.floor(devices / count)));
  return {
    nodes: eligible.length,
    nodesAnywhere: offering.length,
    total: sum(eligible.map(({ devices }) => devices[resource]!)),
    free: sum(free),
    largest: Math.max(0, ...eligible.map(({ devices }) => devices[resource]!)),
    fits: Math.max(0, room - Math.ceil(waiting / count)),
    users: usersOf(held, resource),
    offered: [
      ...new Set(supply.nodes.filter(({ usable }) => usable).flatMap(({ devices }) => Object.keys(devices))),
    ].sort(),
  };
}

/** Node affinity is not looked at: the scheduler says it when that is what stands in the way. */
function accepts({ labels, taints, usable }: GpuNode, { nodeSelector, tolerations }: GpuDemand): boolean {
  return (
    usable &&
    Object.entries(nodeSelector).every(([name, value]) => labels[name] === value) &&
    taints.every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(taint, tolerations))
  );
}

function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (key === undefined || key === '' ? operator === 'Exists' : key === taint.key) &&
      (operator === 'Exists' || value === (taint.value ?? '')),
  );
}

function usersOf(held: readonly GpuClaim[], resource: string): GpuSituation['users'] {
  const devices = sumBy(held, resource, ({ namespace, user }) => `${namespace}/${user}`);
  return [...devices]
    .map(([id, total]) => ({
      namespace: id.slice(0, id.indexOf('/')),
      user: id.slice(id.indexOf('/') + 1),
      devices: total,
    }))
    .sort((a, b) => b.devices - a.devices || (a.user < b.user ? -1 : 1));
}

function sumBy(
  claims: readonly GpuClaim[],
  resource: string,
  group: (claim: GpuClaim) => string,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const claim of claims)
    sums.set(group(claim), (sums.get(group(claim)) ?? 0) + claim.devices[resource]!);
  return sums;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
