/**
 * Takes out of a live object what somebody else wrote into it and server-side apply would leave beside our fields:
 * the API server would refuse the two together, or both would hold.
 */
import { MANAGER } from '../../crds/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import { resourcePath, resources } from '../kube/resources.ts';
import type { ChildKind, DesiredObject } from '../plan/target.ts';

/** What is to be merged into a live object before ours is applied, as RFC 7386 has it. */
const CLEARANCES: Partial<Record<ChildKind, (desired: DesiredObject) => Readonly<Record<string, unknown>>>> =
  {
    // Ports are merged by number, so a changed port would stay as a second one of the same name. What a port and a
    // class may be depends on the type, so they go together.
    Service: ({ spec }) => {
      const { selector: _selector, ...kept } = spec as Readonly<Record<string, unknown>>;
      return { spec: kept };
    },
    // A budget has one bound or the other.
    PodDisruptionBudget: () => ({ spec: { minAvailable: null } }),
  };

/** Does nothing for kinds in which others can leave nothing that matters. */
export async function clear(desired: DesiredObject, client: KubeClient, signal: AbortSignal): Promise<void> {
  const kind = desired.kind as ChildKind;
  const body = CLEARANCES[kind]?.(desired);
  if (!body) return;
  await client.request({
    method: 'PATCH',
    path: resourcePath(resources[kind], desired.metadata),
    query: { fieldManager: MANAGER },
    contentType: 'application/merge-patch+json',
    body,
    signal,
  });
}
