/**
 * What is kept of a pod. There can be ten thousand pods in a cluster that are not ours; of those only the GPUs that they
 * hold matter.
 */
import { LABELS, MANAGER } from '../../crds/labels.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { ContainerStatus, Pod } from '../plan/cluster-objects.ts';
import type { GpuClaim } from '../plan/gpu-supply.ts';
import { quantityValue } from '../plan/quantity.ts';
import { isCounted } from './node-projection.ts';

export interface ObservedPod extends Pod {
  /** Absent when it holds no devices. */
  readonly claim?: GpuClaim;
  /** What it takes of its node, by resource, in base units; absent while it has no node, and when it has ended. */
  readonly takes?: Readonly<Record<string, number>>;
}

interface FullContainer {
  /** `Always`: an init container that goes on running beside the others. */
  readonly restartPolicy?: string;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string | number>>;
    readonly limits?: Readonly<Record<string, string | number>>;
  };
}

/** A pod as the API server sends it, as far as it is read here. */
interface FullPod extends Pod {
  readonly spec?: Pod['spec'] & {
    readonly containers?: readonly FullContainer[];
    readonly initContainers?: readonly FullContainer[];
    readonly overhead?: Readonly<Record<string, string | number>>;
  };
}

export function projectPod(object: KubeObject): ObservedPod {
  const pod = object as FullPod;
  const claim = claimOf(pod);
  const { name, namespace = '', uid = '', resourceVersion = '' } = pod.metadata;
  const identity = { name, namespace, uid, resourceVersion };
  const use = { ...(claim ? { claim } : {}), ...takenBy(pod) };
  if (!isOurs(pod)) return { kind: 'Pod', metadata: identity, ...use };
  return { kind: 'Pod', metadata: pod.metadata, ...detailsOf(pod), ...use };
}

function isOurs({ metadata }: Pod): boolean {
  return metadata.labels?.[LABELS.managedBy] === MANAGER;
}

function detailsOf({ spec, status }: FullPod): Pick<Pod, 'spec' | 'status'> {
  const { nodeName, serviceAccountName } = spec ?? {};
  const { phase, reason, message, conditions, containerStatuses } = status ?? {};
  return {
    spec: given({ nodeName, serviceAccountName }),
    status: given({
      phase,
      reason,
      message,
      conditions,
      containerStatuses: containerStatuses?.map(containerOf),
    }),
  };
}

function containerOf({ name, image, restartCount, state, lastState }: ContainerStatus): ContainerStatus {
  return { name, ...given({ image, restartCount, state, lastState }) };
}

/** As the scheduler counts: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers */
function takenBy(pod: FullPod): Pick<ObservedPod, 'takes'> {
  const { containers = [], initContainers = [], overhead = {}, nodeName } = pod.spec ?? {};
  if (hasEnded(pod) || nodeName === undefined) return {};
  const running: Record<string, number> = {};
  let most: Record<string, number> = {};
  for (const container of initContainers) {
    const asks = container.resources?.requests ?? {};
    if (container.restartPolicy === 'Always') add(running, asks);
    else most = atLeast(most, add({ ...running }, asks));
  }
  for (const { resources = {} } of containers) add(running, resources.requests ?? {});
  const takes = add(atLeast(most, running), overhead);
  return Object.keys(takes).length === 0 ? {} : { takes };
}

function add(
  sums: Record<string, number>,
  amounts: Readonly<Record<string, string | number>>,
): Record<string, number> {
  for (const [name, amount] of Object.entries(amounts)) {
    if (isCounted(name)) sums[name] = (sums[name] ?? 0) + quantityValue(amount);
  }
  return sums;
}

function atLeast(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const most = { ...a };
  for (const [name, amount] of Object.entries(b)) most[name] = Math.max(most[name] ?? 0, amount);
  return most;
}

function hasEnded({ status }: FullPod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Extended resources, whose names have a vendor's domain. A pod that has ended holds none. */
function claimOf(pod: FullPod): GpuClaim | undefined {
  if (hasEnded(pod)) return undefined;
  const { metadata, spec } = pod;
  const devices: Record<string, number> = {};
  for (const { resources = {} } of spec?.containers ?? []) {
    for (const [name, amount] of Object.entries({ ...resources.requests, ...resources.limits })) {
      if (name.includes('/')) devices[name] = (devices[name] ?? 0) + quantityValue(amount);
    }
  }
  if (Object.keys(devices).length === 0) return undefined;
  const { name, namespace = '', labels = {} } = metadata;
  const user = labels[LABELS.service] ?? labels['app.kubernetes.io/name'] ?? labels['app'] ?? name;
  return { namespace, user, devices, ...given({ nodeName: spec?.nodeName }) };
}

/** Without the members that are undefined. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
