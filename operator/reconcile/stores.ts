/** The local copies of everything that a plan is made from, and the reflectors that keep them. */
import type { Logger } from 'pino';
import { LABELS, MANAGER } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { REGION_LABELS } from '../../crds/region.ts';
import { ROUTE_LABEL } from '../../crds/route.ts';
import type { KubeClient, Selection } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { type Resource, resources } from '../kube/resources.ts';
import type { LiveObject } from '../plan/cluster-objects.ts';
import { CHILD_KINDS, type ChildKind } from '../plan/target.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RuntimeMetrics } from '../runtime/metrics.ts';
import { Reflector } from '../runtime/reflector.ts';
import { byController, byLabel, Store } from '../runtime/store.ts';
import { type ObservedNode, projectNode } from './node-projection.ts';
import { type ObservedPod, projectPod } from './pod-projection.ts';

/** Shares that a hub keeps for its cities are nothing to run here. */
const NO_SHARES = `!${REGION_LABELS.city}`;

/** Objects that we made. */
export const OURS = `${LABELS.managedBy}=${MANAGER}`;

/** What leads to cities is no part of what runs here. */
const OURS_HERE = `${OURS},!${ROUTE_LABEL}`;

export interface Stores {
  readonly modelServices: Store<ModelService>;
  readonly children: Readonly<Record<ChildKind, Store<LiveObject>>>;
  readonly pods: Store<ObservedPod>;
  readonly nodes: Store<ObservedNode>;
}

export interface ReflectorTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  /** Look at this namespace alone; all when absent. */
  readonly namespace?: string;
}

/** Files the objects of a service by `namespace/service`. */
export const BY_SERVICE = 'service';
/** Files the objects of a service by the UID of their controller. */
export const BY_OWNER = 'owner';

export function createStores(log: Logger): Stores {
  const onError = (err: unknown) => log.error({ err }, 'a change could not be passed on');
  const store = <T extends KubeObject>() =>
    new Store<T>({ onError, indexes: { [BY_SERVICE]: byLabel(LABELS.service), [BY_OWNER]: byController } });
  return {
    modelServices: new Store<ModelService>({ onError }),
    children: Object.fromEntries(
      CHILD_KINDS.map((kind) => [kind, store<LiveObject>()]),
    ) as Stores['children'],
    pods: store<ObservedPod>(),
    nodes: new Store<ObservedNode>({ onError }),
  };
}

/** One reflector for each store. */
export function createReflectors(stores: Stores, tools: ReflectorTools): Reflector<KubeObject>[] {
  const { namespace } = tools;
  const reflect = <T extends KubeObject>(
    resource: Resource,
    store: Store<T>,
    selection: Selection = {},
    project?: (object: KubeObject) => T,
  ) =>
    new Reflector<T>({
      ...tools,
      resource,
      store,
      selection,
      ...(project ? { project } : {}),
    }) as unknown as Reflector<KubeObject>;
  return [
    reflect(resources.ModelService, stores.modelServices, { namespace, labelSelector: NO_SHARES }),
    ...CHILD_KINDS.map((kind) =>
      reflect(resources[kind], stores.children[kind], { namespace, labelSelector: OURS_HERE }),
    ),
    reflect(resources.Pod, stores.pods, { namespace }, projectPod),
    reflect(resources.Node, stores.nodes, {}, projectNode),
  ];
}
