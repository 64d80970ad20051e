/** Local copies of what routes consist of, and whether the API server knows HTTPRoutes at all. */
import { LABELS } from '../../../crds/labels.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import { ROUTE_LABEL } from '../../../crds/route.ts';
import { type Resource, resources } from '../../kube/resources.ts';
import type { LiveObject } from '../../plan/cluster-objects.ts';
import { aborted } from '../../runtime/aborted.ts';
import type { Key } from '../../runtime/key.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { byController, byLabel, type Change, Store } from '../../runtime/store.ts';
import { type OptionalKindTools, whileServed } from '../optional-kind.ts';
import { BY_OWNER, BY_SERVICE, OURS, type ReflectorTools } from '../stores.ts';

export type RouteCopyTools = ReflectorTools & OptionalKindTools;

export interface RouteCopyListener {
  /** An object of the route of this service has changed. */
  objectChanged(key: Key): void;
  /** The Gateway API has come or gone. */
  kindChanged(): void;
}

export class RouteCopies {
  readonly #tools: RouteCopyTools;
  readonly #listener: RouteCopyListener;
  /** Services and EndpointSlices that lead to cities. */
  readonly #backends: readonly [Store<LiveObject>, Store<LiveObject>];
  /** While the kind is served and the copy is filled. */
  #routes: Store<LiveObject> | undefined;
  #isMissing = false;

  constructor(tools: RouteCopyTools, listener: RouteCopyListener) {
    this.#tools = tools;
    this.#listener = listener;
    this.#backends = [this.#store(), this.#store()];
  }

  /** Whether there are HTTPRoutes. `Unknown` until the API server has said so, or has told which ones. */
  get routes(): 'Served' | 'Missing' | 'Unknown' {
    if (this.#routes) return 'Served';
    return this.#isMissing ? 'Missing' : 'Unknown';
  }

  /** Objects that carry the service's labels or its owner reference. */
  of({ metadata: { name, namespace, uid } }: ModelService): LiveObject[] {
    const stores = [...this.#backends, ...(this.#routes ? [this.#routes] : [])];
    return stores.flatMap((store) => [
      ...new Set([...store.by(BY_SERVICE, `${namespace}/${name}`), ...store.by(BY_OWNER, uid)]),
    ]);
  }

  /**
   * Keeps the copies until `signal` aborts.
   *
   * @param work begins when those of the backends are filled
   */
  async run(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const [services, slices] = this.#backends;
    const selector = `${OURS},${ROUTE_LABEL}`;
    const reflectors = [
      this.#reflector(resources.Service, services, selector),
      this.#reflector(resources.EndpointSlice, slices, selector),
    ];
    const ends = this.#backends.map((store) => this.#listenTo(store));
    const begin = async () => {
      await Promise.race([Promise.all(reflectors.map(({ synced }) => synced)), aborted(signal)]);
      if (signal.aborted) return;
      const following = (kind: Resource, until: AbortSignal) => this.#follow(kind, until);
      const missing = () => this.#missing();
      await Promise.all([
        work(),
        whileServed([resources.HTTPRoute], this.#tools, signal, following, missing),
      ]);
    };
    await Promise.all([...reflectors.map((reflector) => reflector.run(signal)), begin()]);
    for (const end of ends) end();
  }

  async #follow(kind: Resource, signal: AbortSignal): Promise<void> {
    const store = this.#store();
    const reflector = this.#reflector(kind, store, OURS);
    const end = this.#listenTo(store);
    const begin = async () => {
      await Promise.race([reflector.synced, aborted(signal)]);
      if (signal.aborted) return;
      this.#routes = store;
      this.#isMissing = false;
      this.#listener.kindChanged();
    };
    await Promise.all([reflector.run(signal), begin()]);
    this.#routes = undefined;
    end();
  }

  #missing(): void {
    if (this.#isMissing) return;
    this.#isMissing = true;
    this.#listener.kindChanged();
  }

  #listenTo(store: Store<LiveObject>): () => void {
    return store.subscribe(({ key, before, after }: Change<LiveObject>) => {
      for (const object of [before, after]) {
        const name = object?.metadata.labels?.[LABELS.service];
        if (name !== undefined) this.#listener.objectChanged({ ...key, name });
      }
    });
  }

  #store(): Store<LiveObject> {
    const { log } = this.#tools;
    return new Store<LiveObject>({
      onError: (err) => log.error({ err }, 'a change could not be passed on'),
      indexes: { [BY_SERVICE]: byLabel(LABELS.service), [BY_OWNER]: byController },
    });
  }

  #reflector(resource: Resource, store: Store<LiveObject>, labelSelector: string): Reflector<LiveObject> {
    const { namespace } = this.#tools;
    const selection = { labelSelector, ...(namespace ? { namespace } : {}) };
    return new Reflector({ ...this.#tools, resource, store, selection });
  }
}
