/** The hub as a part of the operator: nothing at all where it is not turned on. */
import type { ModelService } from '../../../crds/model-service.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { OPERATOR_NAME } from '../../rbac/names.ts';
import type { Controller } from '../../runtime/controller.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Reflector } from '../../runtime/reflector.ts';
import type { Store } from '../../runtime/store.ts';
import type { OptionalKindTools } from '../optional-kind.ts';
import type { ReflectorTools } from '../stores.ts';
import type { Resolve } from './host-addresses.ts';
import { Hub, hubCopies } from './hub.ts';
import { Joining } from './joining.ts';
import { ClusterProfiles } from './joining-profiles.ts';
import { Routes } from './routes.ts';

export interface HubRole {
  readonly reflectors: readonly Reflector<KubeObject>[];
  readonly controllers: readonly Controller[];
  /** Resolves when every local copy has been filled once. */
  readonly synced: Promise<void>;
  /** Keeps the local copies; in every replica of the operator. */
  follow(signal: AbortSignal): Promise<void>;
  /** Decides and tells; in the leader alone. */
  lead(signal: AbortSignal): Promise<void>;
}

const NO_HUB: HubRole = {
  reflectors: [],
  controllers: [],
  synced: Promise.resolve(),
  follow: async () => {},
  lead: async () => {},
};

export interface HubRoleTools extends ReflectorTools, OptionalKindTools {
  readonly events: EventRecorder;
  readonly modelServices: Store<ModelService>;
  /** Where this operator runs. */
  readonly operatorNamespace: string;
  /** Instead of the pod's name servers. */
  readonly resolve?: Resolve;
}

export function createHubRole(isHub: boolean, tools: HubRoleTools): HubRole {
  if (!isHub) return NO_HUB;
  const copies = hubCopies(tools);
  const { stores } = copies;
  const joining = new Joining({
    ...tools,
    cityClusters: stores.cityClusters,
    contents: [stores.cityReports, stores.leases],
    operator: { namespace: tools.operatorNamespace, name: OPERATOR_NAME },
  });
  const routes = new Routes({ ...tools, cityClusters: stores.cityClusters });
  const hub = new Hub({ ...tools, stores, joining, routes });
  const profiles = new ClusterProfiles({
    ...tools,
    cityClusters: stores.cityClusters,
    namespace: tools.operatorNamespace,
  });
  return {
    reflectors: copies.reflectors,
    controllers: [...hub.controllers, joining.controller, routes.controller],
    synced: copies.synced,
    follow: (signal) => copies.run(signal),
    async lead(signal) {
      await Promise.all([joining.run(signal), hub.run(signal), profiles.run(signal), routes.run(signal)]);
    },
  };
}
