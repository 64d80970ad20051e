/**
 * Keeps a `Store` equal to what the API server has, until it is stopped. Whatever goes wrong, it tries again.
 * The decisions are in `reflector-step.ts`; here are the connections, the timers and the staging area.
 */
import type { Logger } from 'pino';
import type { KubeClient, Selection } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Resource } from '../kube/resources.ts';
import type { Clock } from './clock.ts';
import { keyOf, keyString } from './key.ts';
import { noMetrics, type RuntimeMetrics, type Watched } from './metrics.ts';
import {
  type Activity,
  initialState,
  type ReflectorInput,
  type ReflectorState,
  type StoreCommand,
} from './reflector-state.ts';
import { step } from './reflector-step.ts';
import { SilenceGuard } from './silence-guard.ts';
import type { Store } from './store.ts';
import {
  asKubeError,
  badResponse,
  believed,
  isNamed,
  isPeriodicBookmark,
  silentError,
} from './watch-events.ts';

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly store: Store<T>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  readonly selection?: Selection;
  /**
   * Cuts an object down to what readers need; default: drops `metadata.managedFields`.
   * An object for which it throws is kept whole.
   */
  readonly project?: (object: KubeObject) => T;
  /** From 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
  /**
   * Silence after which a watch that has shown a bookmark counts as dead; default 150. The server sends one about
   * every minute, except for kinds that have no objects: those get the whole time limit of the watch.
   */
  readonly silenceSeconds?: number;
}

/** The server ends a watch after a random time in this range, so that watches spread over its replicas. */
const shortestWatchSeconds = 300;
const longestWatchSeconds = 600;
const graceSeconds = 30;

export class Reflector<T extends KubeObject> {
  readonly watched: Watched;
  /** Resolves when the store holds the first complete list. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #log: Logger;
  readonly #metrics: RuntimeMetrics;
  readonly #random: () => number;
  readonly #clock: Clock;
  #state: ReflectorState = initialState;
  #staged = new Map<string, T>();
  #markSynced: () => void = () => {};
  #connected = false;
  #heardAtSeconds: number;
  #movedAtSeconds: number;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.watched = { cluster: options.client.cluster, kind: options.resource.kind };
    this.#log = options.log.child({ reflector: options.resource.kind });
    this.#metrics = options.metrics ?? noMetrics;
    this.#random = options.random ?? Math.random;
    this.#clock = options.clock;
    this.#heardAtSeconds = this.#clock.monotonicSeconds();
    this.#movedAtSeconds = this.#heardAtSeconds;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  /** How long the store may have been behind the server: 0 while a watch is open. */
  staleSeconds(): number {
    return this.#connected && this.isSynced ? 0 : this.#clock.monotonicSeconds() - this.#heardAtSeconds;
  }

  /** How long nothing at all has happened, not even a failure; a watch in good order lasts ten minutes at most. */
  quietSeconds(): number {
    return this.#clock.monotonicSeconds() - this.#movedAtSeconds;
  }

  /** True once the store holds the first complete list. */
  get isSynced(): boolean {
    return this.#options.store.synced;
  }

  /** Objects in the local copy. */
  get size(): number {
    return this.#options.store.size;
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#metrics.reflectorStarted(this.watched, this);
    let activity = this.#feed({ type: 'start' });
    while (activity && activity.do !== 'stop') {
      const input: ReflectorInput = await this.#perform(activity, signal);
      activity = this.#feed(signal.aborted ? { type: 'stop' } : input) ?? activity;
    }
  }

  /** Moves the state machine and carries out what it says about the store. */
  #feed(input: ReflectorInput): Activity | undefined {
    const { state, store, next, restart } = step(this.#state, input);
    this.#state = state;
    this.#movedAtSeconds = this.#clock.monotonicSeconds();
    for (const command of store) this.#carryOut(command);
    if (restart !== undefined) {
      this.#metrics.watchRestarted(this.watched, restart);
      const said = input.type === 'failed' ? input.error.message : undefined;
      this.#log.info({ reason: restart, failures: state.failures, next, said }, 'watch restarts');
    }
    return next;
  }

  /** One stay at one activity; what ended it comes back as the next input. */
  async #perform(activity: Activity, signal: AbortSignal): Promise<ReflectorInput> {
    switch (activity.do) {
      case 'wait': {
        const seconds = Math.max(activity.leastSeconds, this.#random() * activity.ceilingSeconds);
        await this.#clock.sleep(seconds, signal);
        return { type: 'elapsed' };
      }
      case 'page':
        return this.#readPage(activity, signal);
      case 'watch':
        return this.#watch(activity, signal);
      case 'stop':
        return { type: 'stop' };
    }
  }

  async #readPage(
    { limit, continue: next }: Activity & { do: 'page' },
    signal: AbortSignal,
  ): Promise<ReflectorInput> {
    const { client, resource, selection } = this.#options;
    try {
      const page = await client.listPage(resource, { ...selection, limit, continue: next, signal });
      const { continue: more, resourceVersion } = page.metadata;
      if (!page.items.every(isNamed)) throw badResponse('the list has an object without a name');
      return { type: 'page', items: page.items, continue: more, resourceVersion };
    } catch (error) {
      return { type: 'failed', error: asKubeError(error), openSeconds: 0 };
    }
  }

  async #watch(
    { resourceVersion, sendInitialEvents }: Activity & { do: 'watch' },
    signal: AbortSignal,
  ): Promise<ReflectorInput> {
    const { client, resource, selection, silenceSeconds = 150 } = this.#options;
    const span = longestWatchSeconds - shortestWatchSeconds;
    const timeoutSeconds = Math.round(shortestWatchSeconds + span * this.#random());
    const guard = new SilenceGuard(this.#clock, timeoutSeconds + graceSeconds, signal);
    let openedAtSeconds: number | undefined;
    const openSeconds = () => {
      const now = this.#clock.monotonicSeconds();
      return now - (openedAtSeconds ?? now);
    };
    try {
      const events = client.watch(resource, {
        ...selection,
        resourceVersion,
        sendInitialEvents,
        timeoutSeconds,
        signal: guard.signal,
        onOpen: () => {
          openedAtSeconds = this.#clock.monotonicSeconds();
          this.#connected = true;
        },
      });
      for await (const received of events) {
        guard.heard();
        const event = believed(received);
        if (isPeriodicBookmark(event)) guard.tighten(silenceSeconds);
        this.#feed({ type: 'event', event });
      }
      return { type: 'ended', openSeconds: openSeconds() };
    } catch (error) {
      const failure = guard.isSilent ? silentError(guard.limitSeconds) : asKubeError(error);
      return { type: 'failed', error: failure, openSeconds: openSeconds() };
    } finally {
      guard.clear();
      if (this.#connected) {
        this.#heardAtSeconds = guard.isSilent ? guard.heardAtSeconds : this.#clock.monotonicSeconds();
      }
      this.#connected = false;
    }
  }

  #carryOut(command: StoreCommand): void {
    const { store } = this.#options;
    switch (command.do) {
      case 'begin':
        this.#staged = new Map();
        break;
      case 'stage':
        for (const object of command.objects)
          this.#staged.set(keyString(keyOf(object)), this.#project(object));
        break;
      case 'unstage':
        this.#staged.delete(keyString(keyOf(command.object)));
        break;
      case 'commit':
        store.replace([...this.#staged.values()]);
        this.#staged = new Map();
        this.#markSynced();
        break;
      case 'set':
        store.set(this.#project(command.object));
        break;
      case 'remove':
        store.remove(command.object);
        break;
    }
  }

  #project(object: KubeObject): T {
    const { managedFields: _, ...metadata } = object.metadata;
    const slim = { ...object, metadata };
    try {
      return this.#options.project?.(slim) ?? (slim as T);
    } catch (err) {
      this.#log.error({ key: keyString(keyOf(object)), err }, 'projection failed, object kept whole');
      return slim as T;
    }
  }
}
