import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject, WatchEvent } from '../../operator/kube/objects.ts';
import { type Resource, resources } from '../../operator/kube/resources.ts';
import { FLEET_KINDS, REPLICAS } from './fleet.ts';

/** How far a namespace has come. */
export type Milestone = 'children' | 'statuses' | 'pods';

interface Seen extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly phase?: string; readonly observedGeneration?: number };
}

/**
 * Follows one namespace through watches of its own and keeps the time: the same onlooker for everybody who is
 * measured, so that nobody's own word is taken for it.
 */
export class Onlooker {
  readonly #expected: Readonly<Record<Milestone, number>>;
  readonly #stop = new AbortController();
  readonly #reached = new Map<Milestone, number>();
  readonly #objects: Readonly<Record<Milestone, Set<string>>> = {
    children: new Set(),
    statuses: new Set(),
    pods: new Set(),
  };
  readonly #listeners = new Set<(object: Seen, resource: Resource) => void>();
  readonly #watches: Promise<void>[];
  #failure: Error | undefined;

  /** Begins to follow a namespace in which there are to be so many services, as `fleet.ts` makes them. */
  constructor(client: KubeClient, namespace: string, services: number) {
    this.#expected = {
      children: services * FLEET_KINDS.length,
      statuses: services,
      pods: services * REPLICAS,
    };
    const kinds = [...FLEET_KINDS, 'ModelService', 'Pod'] as const;
    this.#watches = kinds.map((kind) => this.#watch(client, resources[kind], namespace));
  }

  /** What has been counted so far, for a person who waits. */
  get progress(): string {
    const { children, statuses, pods } = this.#objects;
    return `${children.size} objects, ${statuses.size} statuses, ${pods.size} pods running`;
  }

  /**
   * When the milestone was reached, by `performance.now()`.
   *
   * @throws Error when it is not reached in time or a watch has ended
   */
  async until(milestone: Milestone, timeoutSeconds: number): Promise<number> {
    const deadline = performance.now() + timeoutSeconds * 1000;
    for (;;) {
      const at = this.#reached.get(milestone);
      if (at !== undefined) return at;
      if (this.#failure) throw this.#failure;
      if (performance.now() > deadline) {
        throw new Error(`not all ${milestone} within ${timeoutSeconds} s; so far: ${this.progress}`);
      }
      await new Promise((later) => setTimeout(later, 50));
    }
  }

  /** Resolves with `performance.now()` when the Deployment of this name is seen with this number of replicas. */
  untilReplicas(name: string, replicas: number, timeoutSeconds: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const unsubscribe = this.subscribe(({ metadata, spec }, resource) => {
        if (resource !== resources.Deployment || metadata.name !== name) return;
        if (spec?.replicas === replicas) end(() => resolve(performance.now()));
      });
      const late = () => reject(new Error(`${name} had not ${replicas} replicas within ${timeoutSeconds} s`));
      const timer = setTimeout(() => end(late), timeoutSeconds * 1000);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        unsubscribe();
        settle();
      };
    });
  }

  /** Calls back with every object that is added or changed, until the returned function is called. */
  subscribe(listener: (object: Seen, resource: Resource) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#watches);
  }

  async #watch(client: KubeClient, resource: Resource, namespace: string): Promise<void> {
    const { signal } = this.#stop;
    try {
      // An API server at its limit ends watches; a new one begins with all that is there, and nothing is counted twice.
      while (!signal.aborted) {
        for await (const event of client.watch<Seen>(resource, { namespace, timeoutSeconds: 3600, signal })) {
          this.#see(event, resource);
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#failure = error as Error;
    }
  }

  #see(event: WatchEvent<Seen>, resource: Resource): void {
    if (event.type !== 'ADDED' && event.type !== 'MODIFIED') return;
    const { object } = event;
    const milestone = milestoneOf(resource);
    if (hasCome(object, milestone)) this.#count(milestone, `${resource.kind}/${object.metadata.name}`);
    for (const listener of this.#listeners) listener(object, resource);
  }

  #count(milestone: Milestone, id: string): void {
    const come = this.#objects[milestone].add(id);
    if (come.size >= this.#expected[milestone] && !this.#reached.has(milestone)) {
      this.#reached.set(milestone, performance.now());
    }
  }
}

function milestoneOf({ kind }: Resource): Milestone {
  if (kind === 'Pod') return 'pods';
  return kind === 'ModelService' ? 'statuses' : 'children';
}

function hasCome({ metadata, status }: Seen, milestone: Milestone): boolean {
  switch (milestone) {
    case 'children':
      return true;
    case 'statuses':
      return status?.observedGeneration === metadata.generation;
    case 'pods':
      return status?.phase === 'Running';
  }
}
