/** What is to be done so that the objects of a route are as they should be. */
import type { ModelService } from '../../../crds/model-service.ts';
import type { LiveObject } from '../cluster-objects.ts';
import { ownership, refusal } from '../ownership.ts';
import { difference } from '../plan.ts';
import { type DesiredObject, ROUTE_KINDS, type RouteKind, type Step } from '../target.ts';

/** @param live objects that carry the service's labels or its owner reference */
export function routeSteps(
  object: DesiredObject,
  service: ModelService,
  live: readonly LiveObject[],
): Step[] {
  const found = find(live, object);
  if (!found) return [{ action: 'apply', object, because: 'create' }];
  const refused = refusal(found, service);
  if (refused) return [refused];
  const because = difference(found, object);
  const { uid } = found.metadata;
  return because === undefined ? [] : [{ action: 'apply', object, because, ...(uid ? { uid } : {}) }];
}

/** Objects of the route of this service that nothing calls for any more. */
export function staleSteps(
  service: ModelService,
  desired: readonly DesiredObject[],
  live: readonly LiveObject[],
): Step[] {
  return live
    .filter((object) => isRouteKind(object.kind) && !find(desired, object))
    .filter((object) => ownership(object, service) === 'Ours' && object.metadata.uid !== undefined)
    .map(({ kind, metadata: { name, uid } }) => ({
      action: 'delete',
      kind: kind as RouteKind,
      name,
      namespace: service.metadata.namespace,
      uid: uid!,
      because: 'the route does not lead there any more',
    }));
}

function find<T extends LiveObject>(
  objects: readonly T[],
  { kind, metadata: { name } }: LiveObject,
): T | undefined {
  return objects.find((object) => object.kind === kind && object.metadata.name === name);
}

function isRouteKind(kind: string): kind is RouteKind {
  return (ROUTE_KINDS as readonly string[]).includes(kind);
}
