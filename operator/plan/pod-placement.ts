/** Which nodes the pods of a service may and should go to. */
import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService, ModelServiceSpec } from '../../crds/model-service.ts';

export interface Toleration {
  readonly key?: string | undefined;
  readonly operator?: string | undefined;
  readonly value?: string | undefined;
  readonly effect?: string | undefined;
  readonly tolerationSeconds?: number | undefined;
}

/** Labels that a node must have. */
export function nodeSelectorOf({ gpu, podTemplate }: ModelServiceSpec): Record<string, string> {
  return { ...(gpu.count > 0 ? gpu.nodeSelector : {}), ...podTemplate?.nodeSelector };
}

/**
 * GPU nodes are often tainted with the name of their resource, so that other pods keep away. A node that offers MIG
 * slices carries the taint of the whole GPU.
 */
export function tolerationsOf({ gpu, podTemplate }: ModelServiceSpec): Toleration[] {
  const own = podTemplate?.tolerations ?? [];
  if (gpu.count === 0) return [...own];
  const [vendor] = gpu.resource.split('/');
  const keys = new Set([gpu.resource, `${vendor}/gpu`]);
  return [...[...keys].map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' })), ...own];
}

/** Replicas prefer different zones and nodes, and share one rather than wait. */
export function topologySpread({ metadata }: ModelService): Record<string, unknown>[] {
  return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorLabels(metadata.name) },
  }));
}
