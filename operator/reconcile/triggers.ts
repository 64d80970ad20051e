/** Which services need a look when something has changed. */
import { LABELS } from '../../crds/labels.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { ReplicaReports } from '../reports/registry.ts';
import { type Key, keyOf } from '../runtime/key.ts';
import type { Change, Store } from '../runtime/store.ts';
import type { Stores } from './stores.ts';

export interface TriggerSources {
  readonly stores: Stores;
  readonly reports: ReplicaReports;
  /** Things that all services depend on: certificates, who serves the custom metrics. Each ends its own callback. */
  readonly forAll: readonly ((listener: () => void) => () => void)[];
}

/** Calls `enqueue` for every service that a change may concern, until the returned function is called. */
export function connectTriggers(
  { stores, reports, forAll }: TriggerSources,
  enqueue: (key: Key) => void,
): () => void {
  const { cluster } = stores.modelServices;
  const enqueueAll = () => {
    for (const service of stores.modelServices.list()) enqueue(keyOf(service, cluster));
  };
  const owners = <T extends KubeObject>(store: Store<T>) =>
    store.subscribe((change) => {
      for (const key of ownersOf(change)) enqueue(key);
    });
  const ends = [
    stores.modelServices.subscribe(({ key }) => enqueue(key)),
    ...Object.values(stores.children).map(owners),
    owners(stores.pods),
    reports.onChange(({ namespace, service }) => enqueue({ cluster, namespace, name: service })),
    ...forAll.map((onChange) => onChange(enqueueAll)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** The services that an object belonged to before and belongs to now: by its label and by its controller. */
function ownersOf<T extends KubeObject>({ key, before, after }: Change<T>): Key[] {
  const names = [before, after].flatMap((object) => [
    object?.metadata.labels?.[LABELS.service],
    object?.metadata.ownerReferences?.find(({ controller, kind }) => controller && kind === 'ModelService')
      ?.name,
  ]);
  return [...new Set(names)]
    .filter((name) => name !== undefined)
    .map((name) => ({ cluster: key.cluster, namespace: key.namespace, name }));
}
