/** What is kept of a node: which devices it offers, and to whom. */
import type { KubeObject, ObjectMeta } from '../kube/objects.ts';
import type { GpuNode, Taint } from '../plan/gpu-supply.ts';
import { quantityValue } from '../plan/quantity.ts';

export interface ObservedNode extends KubeObject {
  readonly node: GpuNode;
  /** Processor, memory and devices for pods, in base units. */
  readonly offers: Readonly<Record<string, number>>;
}

interface FullNode extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[] };
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export function projectNode(object: KubeObject): ObservedNode {
  const { metadata, spec = {}, status = {} } = object as FullNode;
  const isReady =
    status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return {
    metadata: identityOf(metadata),
    node: {
      name: metadata.name,
      labels: metadata.labels ?? {},
      taints: spec.taints ?? [],
      ready: isReady,
      usable: isReady && !spec.unschedulable,
      devices: devicesOf(status.allocatable ?? {}),
    },
    offers: amountsOf(status.allocatable ?? {}, isCounted),
  };
}

/** What a city has so much of that it matters to where replicas are placed. */
export function isCounted(resource: string): boolean {
  return resource === 'cpu' || resource === 'memory' || isDevice(resource);
}

/** Extended resources, whose names have a vendor's domain; CPU, memory and the like have none. */
function devicesOf(allocatable: Readonly<Record<string, string>>): Record<string, number> {
  return amountsOf(allocatable, isDevice);
}

function isDevice(resource: string): boolean {
  return resource.includes('/');
}

function amountsOf(
  amounts: Readonly<Record<string, string>>,
  isWanted: (resource: string) => boolean,
): Record<string, number> {
  const wanted = Object.entries(amounts).filter(([name]) => isWanted(name));
  return Object.fromEntries(wanted.map(([name, amount]) => [name, quantityValue(amount)]));
}

function identityOf({ name, uid = '', resourceVersion = '' }: ObjectMeta): ObjectMeta {
  return { name, uid, resourceVersion };
}
