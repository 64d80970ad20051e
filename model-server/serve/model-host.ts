/**
 * Does what `lifecycle.ts` decides: loads, swaps and unloads models, looks for new version directories, and knows the
 * model that requests go to.
 */
import type { LoadReport } from '../../crds/load-report.ts';
import type { Serving } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import { entriesOf, type ModelEntry, reportOf, whyNotServing } from './host-words.ts';
import type { HostedModel } from './hosted-model.ts';
import {
  type Effect,
  type Event,
  initialState,
  isReady,
  isStarting,
  type State,
  step,
  type Target,
} from './lifecycle.ts';
import { loadErrorOf } from './load-failure.ts';
import type { LoadTurns } from './load-turns.ts';
import type { Metrics } from './metrics.ts';
import { ModelLoader, type ModelLoaderOptions, type Try } from './model-loader.ts';
import type { ModelUses } from './model-uses.ts';
import { Retirement } from './retirement.ts';
import { SourceWatch } from './source-watch.ts';

export interface ModelHostOptions extends ModelLoaderOptions {
  /** Shared by all hosts of the process. */
  readonly uses: ModelUses;
  readonly turns: LoadTurns;
  readonly serving: Serving;
  readonly metrics: Pick<Metrics, 'loadSucceeded' | 'loadFailed'>;
  /** Seconds between looks at a volume for a new version directory. */
  readonly lookIntervalSeconds?: number;
}

interface Load {
  readonly target: Target;
  readonly abort: AbortController;
  hosted?: HostedModel;
  /** Called once it is known how the load ended. */
  readonly ended: ((failure: string | undefined) => void)[];
}

const GIVEN_UP = 'the load was given up: something else is wanted by now, or the server ends';
const LOOK_INTERVAL_SECONDS = 5;
/** Loads that had to wait must not all come back in the same second: ± this share of the pause. */
const RETRY_JITTER = 0.2;

export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #loader: ModelLoader;
  readonly #retirement: Retirement;
  readonly #watch: SourceWatch;
  readonly #loads = new Map<number, Load>();
  #state: State = initialState;
  #serving: Serving;
  #current: HostedModel | undefined;
  #cancelRetry = () => {};
  #changed = () => {};
  #closed = false;
  /** Digest of the model before the current one, to roll back to without a fetch. */
  #previousDigest: string | undefined;

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#loader = new ModelLoader(options);
    this.#retirement = new Retirement(options);
    this.#watch = new SourceWatch(options.repository);
    this.#serving = options.serving;
    void options.engine.died.then((error) => this.#dispatch({ kind: 'EngineDied', message: error.message }));
    this.#lookLater();
  }

  /** The model that requests go to. */
  get current(): HostedModel | undefined {
    return this.#current;
  }

  get serving(): Serving {
    return this.#serving;
  }

  get isReady(): boolean {
    return isReady(this.#state);
  }

  /** Whether nothing is served yet and nothing has gone wrong. */
  get isStarting(): boolean {
    return isStarting(this.#state);
  }

  get isDraining(): boolean {
    return this.#state.draining;
  }

  /** Takes what is to be served from now on. The newest call wins; equal ones change nothing. */
  assign(assignment: ModelAssignment): void {
    this.#serving = assignment.serving;
    this.#dispatch({ kind: 'Assigned', target: { revision: assignment.revision, source: assignment.model } });
  }

  /** From now on not ready; no model is loaded any more. */
  drain(): void {
    this.#dispatch({ kind: 'DrainRequested' });
  }

  /** Calls back when what is served or wanted, or a failure, has changed. One listener. */
  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** As `assign` and `reload`. */
  load(assignment: ModelAssignment): Promise<string | undefined> {
    this.assign(assignment);
    return this.reload();
  }

  /** Loads what is wanted afresh, also when it is served already, and waits for the end. @returns why it failed. */
  async reload(): Promise<string | undefined> {
    if (this.#state.work.kind !== 'Loading') this.#dispatch({ kind: 'SourceChanged' });
    const { work } = this.#state;
    const load = work.kind === 'Loading' ? this.#loads.get(work.load) : undefined;
    return new Promise((resolve) => {
      if (load) load.ended.push(resolve);
      else resolve(undefined);
    });
  }

  /**
   * Serves nothing from now on, until something is assigned; waits until what was served is out of memory, which is
   * after its last answer.
   */
  async withdraw(): Promise<void> {
    this.#dispatch({ kind: 'Withdrawn' });
    await this.#retirement.untilUnloaded();
  }

  /** Ends for good: as `withdraw`, and no volume is looked at any more. */
  close(): Promise<void> {
    this.#closed = true;
    return this.withdraw();
  }

  /** Digests of what the cache should keep for it. */
  get digests(): string[] {
    return [this.#current?.digest, this.#previousDigest].filter((digest) => digest !== undefined);
  }

  /** What is served, what is coming and what is going. */
  entries(): ModelEntry[] {
    const { models: retired } = this.#retirement;
    return entriesOf({ name: this.#options.name, state: this.#state, current: this.#current, retired });
  }

  /** What a person reads when nothing is served. */
  whyNotServing(): string {
    return whyNotServing(this.#state);
  }

  /** The model's part of a load report. */
  report(): Pick<LoadReport, 'state' | 'serving' | 'loading' | 'error'> {
    return reportOf(this.#state, this.#current);
  }

  #dispatch(event: Event): void {
    const before = this.#state;
    const [next, effects] = step(before, event);
    this.#state = next;
    if (next.engineFailure !== undefined) this.#current = undefined;
    for (const effect of effects) this.#perform(effect);
    // Progress is told with the next report; the rest is what somebody waits for. Most assignments say nothing new:
    // one comes with every reply, and telling of it would make the next report due at once.
    if (event.kind !== 'Progressed' && next !== before) this.#changed();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'StartLoad': {
        this.#cancelRetry();
        const load: Load = { target: effect.target, abort: new AbortController(), ended: [] };
        this.#loads.set(effect.load, load);
        void this.#load(effect.load, load);
        return;
      }
      case 'AbortLoad': {
        const load = this.#loads.get(effect.load);
        load?.abort.abort();
        for (const ended of load?.ended ?? []) ended(GIVEN_UP);
        return;
      }
      case 'Withdraw': {
        this.#cancelRetry();
        const withdrawn = this.#current;
        this.#current = undefined;
        if (withdrawn) this.#retirement.retire(withdrawn);
        return;
      }
      case 'Retry': {
        const seconds = effect.afterSeconds * (1 + RETRY_JITTER * (2 * Math.random() - 1));
        const { load } = effect;
        this.#cancelRetry = this.#options.clock.after(seconds, () =>
          this.#dispatch({ kind: 'RetryDue', load }),
        );
        return;
      }
      case 'Swap':
        this.#swap(effect.load);
        return;
      case 'Discard': {
        const discarded = this.#loads.get(effect.load)?.hosted;
        this.#loads.delete(effect.load);
        if (discarded) this.#retirement.retire(discarded);
      }
    }
  }

  async #load(number: number, load: Load): Promise<void> {
    const { log, metrics, turns } = this.#options;
    const { revision, source } = load.target;
    log.info({ load: number, revision, uri: source.uri }, 'loading model');
    const end = turns.begin();
    try {
      await this.#bringUp(number, load);
    } catch (cause) {
      if (!load.abort.signal.aborted) {
        const { reason, message, pace } = loadErrorOf(cause);
        const problem = { reason, message, pace };
        metrics.loadFailed(reason);
        log.warn({ load: number, revision, ...problem }, 'model not loaded');
        this.#dispatch({ kind: 'LoadFailed', load: number, problem });
        for (const ended of load.ended) ended(`${message} (${reason})`);
      }
      this.#loads.delete(number);
    } finally {
      end();
    }
  }

  /** The turn in the engine lasts until requests have gone over to the new model. */
  async #bringUp(number: number, load: Load): Promise<void> {
    const { clock, metrics, turns } = this.#options;
    const startedAt = clock.monotonicMilliseconds();
    const progress = (message: string) => this.#dispatch({ kind: 'Progressed', load: number, message });
    const attempt: Try = { number, target: load.target, signal: load.abort.signal, progress };
    await this.#watch.noteTry(load.target.source);
    const local = await this.#loader.fetch(attempt);
    const giveTurn = await turns.take();
    try {
      load.hosted = await this.#loader.bringUp(attempt, local, this.#serving);
      metrics.loadSucceeded((clock.monotonicMilliseconds() - startedAt) / 1000);
      this.#dispatch({ kind: 'Loaded', load: number, served: load.hosted });
      for (const ended of load.ended) ended(undefined);
    } finally {
      giveTurn();
    }
  }

  #swap(number: number): void {
    const load = this.#loads.get(number);
    const next = load?.hosted;
    if (!next) return;
    const previous = this.#current;
    this.#current = next;
    this.#loads.delete(number);
    const { revision, version, format, digest } = next;
    this.#options.log.info({ load: number, revision, version, format, digest }, 'model serves');
    this.#previousDigest = previous?.digest;
    if (previous) this.#retirement.retire(previous);
    this.#options.turns.served();
  }

  #lookLater(): void {
    const { clock, lookIntervalSeconds = LOOK_INTERVAL_SECONDS } = this.#options;
    clock.after(lookIntervalSeconds, () => {
      if (!this.#closed) void this.#look().finally(() => this.#lookLater());
    });
  }

  /** The files of a version that is served are not looked at again. */
  async #look(): Promise<void> {
    const { wanted, work, draining } = this.#state;
    if (!wanted || draining || work.kind === 'Loading') return;
    const found = await this.#watch.look(wanted.source);
    if (!found || this.#state.wanted !== wanted || this.#state.work !== work) return;
    const { isSettled, isTried } = this.#watch.note(found);
    const isServed = this.#current?.revision === wanted.revision && this.#current.version === found.version;
    const isOld = work.kind === 'Waiting' ? isTried : isServed;
    if (isSettled && !isOld) this.#dispatch({ kind: 'SourceChanged' });
  }
}
