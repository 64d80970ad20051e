/**
 * What is kept of a pod. There can be ten thousand pods in a cluster that are not ours; of those only the GPUs that they
 * hold matter.
 */
import { LABELS, MANAGER } from '../../crds/labels.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { ContainerStatus, Pod } from '../plan/cluster-objects.ts';
import type { GpuClaim } from '../plan/gpu-supply.ts';
import { quantityValue } from '../plan/quantity.ts';

export interface ObservedPod extends Pod {
  /** Absent when it holds no devices. */
  readonly claim?: GpuClaim;
}

/** A pod as the API server sends it, as far as it is read here. */
interface FullPod extends Pod {
  readonly spec?: Pod['spec'] & {
    readonly containers?: readonly {
      readonly resources?: {
        readonly requests?: Readonly<Record<string, string | number>>;
        readonly limits?: Readonly<Record<string, string | number>>;
      };
    }[];
  };
}

export function projectPod(object: KubeObject): ObservedPod {
  const pod = object as FullPod;
  const claim = claimOf(pod);
  const { name, namespace = '', uid = '', resourceVersion = '' } = pod.metadata;
  const identity = { name, namespace, uid, resourceVersion };
  if (!isOurs(pod)) return { kind: 'Pod', metadata: identity, ...(claim ? { claim } : {}) };
  return { kind: 'Pod', metadata: pod.metadata, ...detailsOf(pod), ...(claim ? { claim } : {}) };
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

/** Extended resources, whose names have a vendor's domain. A pod that has ended holds none. */
function claimOf({ metadata, spec, status }: FullPod): GpuClaim | undefined {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
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
