/**
 * Does what `lifecycle.ts` decides: fetches, loads, warms up, swaps and unloads models, looks for new version
 * directories, and knows the model that requests go to.
 */
import type { Logger } from 'pino';
import type { LoadReport } from '../../crds/load-report.ts';
import type { Serving } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import type { Clock } from '../clock.ts';
import { type Engine, EngineError, type LoadedModel } from '../engine/engine.ts';
import { type ForecastDeclaration, readDeclaration } from '../protocol/forecast-model.ts';
import { LoadError } from '../repository/load-error.ts';
import type { LocalModel, Repository } from '../repository/repository.ts';
import {
  type Effect,
  type Event,
  initialState,
  isReady,
  type Problem,
  problemOf,
  reportedState,
  type Served,
  type State,
  step,
  type Target,
} from './lifecycle.ts';
import type { LoadTurns } from './load-turns.ts';
import type { Metrics } from './metrics.ts';
import type { ModelUses } from './model-uses.ts';
import { readRecordedRequests } from './recorded-requests.ts';
import { defaultNameOf, defaultOf } from './signatures.ts';
import { warmUp } from './warm-up.ts';

/** A model in memory that has answered its warm-up. */
export interface HostedModel extends Served {
  /** Its name in requests. */
  readonly name: string;
  /** The engine's name for it. */
  readonly id: string;
  readonly loaded: LoadedModel;
  /** Signatures whose requests may be joined. */
  readonly joinable: ReadonlySet<string>;
  /** What it declares of forecasts, or why that is of no use. */
  readonly forecast?: ForecastDeclaration | string;
  /**
   * By how much the resident memory of the process grew while it was loaded and warmed up. Nothing else is loaded
   * meanwhile, but requests are served: an estimate.
   */
  readonly residentBytes: number;
  /** Epoch milliseconds of the newest inference that succeeded. */
  lastInferenceAt: number;
}

/** How a version is, in Triton's words, with UNLOADING for one that finishes its last requests. */
export type ModelState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

/** One version of a model as the repository index lists it. */
export interface ModelEntry {
  readonly name: string;
  /** Absent while it is not known yet: before the address has been looked at. */
  readonly version?: string;
  readonly state: ModelState;
  /** Why it is not ready, in a sentence; empty when it is. */
  readonly reason: string;
}

export interface ModelHostOptions {
  /** In requests. */
  name: string;
  /** What the engine's names for its models begin with; no other host of the process has the same. */
  idPrefix?: string;
  engine: Engine;
  /** Shared by all hosts of the process. */
  uses: ModelUses;
  turns: LoadTurns;
  repository: Repository;
  serving: Serving;
  metrics: Pick<Metrics, 'loadSucceeded' | 'loadFailed'>;
  clock: Clock;
  log: Logger;
  /** Reads what a model brings along to be warmed up with. */
  recordedRequests?: typeof readRecordedRequests;
  /** Seconds between looks at a volume for a new version directory. */
  lookIntervalSeconds?: number;
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
  readonly #loads = new Map<number, Load>();
  /** Replaced, and in memory until the last request that uses them is answered. */
  readonly #retired = new Set<HostedModel>();
  readonly #unloading = new Set<Promise<void>>();
  #state: State = initialState;
  #serving: Serving;
  #current: HostedModel | undefined;
  #cancelRetry = () => {};
  #changed = () => {};
  #closed = false;
  /** Digest of the model before the current one, to roll back to without a fetch. */
  #previousDigest: string | undefined;
  /** Version and files at the last look, and at the last try to load them. */
  #seen: string | undefined;
  #tried: string | undefined;
  /** What TensorFlow refused, with what it said: the same bytes are not tried again. */
  #refused: { content: string; error: LoadError } | undefined;

  constructor(options: ModelHostOptions) {
    this.#options = options;
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
    await Promise.all(this.#unloading);
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
    const { name } = this.#options;
    const { work, engineFailure, wanted } = this.#state;
    const entry = (state: ModelState, reason: string, version?: number): ModelEntry => ({
      ...{ name, state, reason },
      ...(version === undefined ? {} : { version: String(version) }),
    });
    const entries: ModelEntry[] = [];
    if (this.#current) {
      const version = this.#current.version ?? 1;
      if (this.#state.draining) entries.push(entry('UNLOADING', 'the server is draining', version));
      else entries.push(entry('READY', '', version));
    }
    if (work.kind === 'Loading') entries.push(entry('LOADING', work.message, wanted?.source.version));
    else if (engineFailure !== undefined || !this.#current || work.kind === 'Waiting') {
      entries.push(entry('UNAVAILABLE', this.whyNotServing(), wanted?.source.version));
    }
    for (const { version } of this.#retired) {
      entries.push(entry('UNLOADING', 'its last requests are being answered', version ?? 1));
    }
    return entries;
  }

  /** What a person reads when nothing is served. */
  whyNotServing(): string {
    const { engineFailure, work, wanted } = this.#state;
    if (engineFailure !== undefined) return engineFailure;
    switch (work.kind) {
      case 'Loading':
        return work.problem
          ? `it is being loaded again (${work.message}), after this: ${work.problem.message}`
          : `it is being loaded (${work.message})`;
      case 'Waiting':
        return `it cannot be loaded: ${work.problem.message}`;
      case 'Idle':
        if (wanted) return 'it is not loaded';
        return this.#state.loads > 0 ? 'it was unloaded by request' : 'no model has been assigned yet';
    }
  }

  /** The model's part of a load report. */
  report(): Pick<LoadReport, 'state' | 'serving' | 'loading' | 'error'> {
    const { wanted, work, engineFailure } = this.#state;
    const problem: Pick<Problem, 'reason' | 'message'> | undefined =
      engineFailure !== undefined
        ? { reason: 'EngineFailed', message: engineFailure }
        : problemOf(this.#state);
    const revision = wanted?.revision ?? '';
    return {
      state: reportedState(this.#state),
      ...(this.#current ? { serving: servingOf(this.#current) } : {}),
      ...(work.kind === 'Loading' ? { loading: { revision, message: work.message.slice(0, 1024) } } : {}),
      ...(problem
        ? { error: { revision, reason: problem.reason, message: problem.message.slice(0, 1024) } }
        : {}),
    };
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
        if (withdrawn) void this.#retire(withdrawn);
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
        if (discarded) void this.#retire(discarded);
      }
    }
  }

  async #load(number: number, load: Load): Promise<void> {
    const { clock, log, metrics, turns } = this.#options;
    const startedAt = clock.monotonicMilliseconds();
    const { revision, source } = load.target;
    log.info({ load: number, revision, uri: source.uri }, 'loading model');
    const end = turns.begin();
    try {
      const local = await this.#fetch(number, load);
      const giveTurn = await turns.take();
      try {
        load.hosted = await this.#bringUp(number, load, local);
        metrics.loadSucceeded((clock.monotonicMilliseconds() - startedAt) / 1000);
        this.#dispatch({ kind: 'Loaded', load: number, served: load.hosted });
        for (const ended of load.ended) ended(undefined);
      } finally {
        giveTurn();
      }
    } catch (cause) {
      if (!load.abort.signal.aborted) {
        const problem = problemFrom(cause);
        metrics.loadFailed(problem.reason);
        log.warn({ load: number, revision, ...problem }, 'model not loaded');
        this.#dispatch({ kind: 'LoadFailed', load: number, problem });
        for (const ended of load.ended) ended(`${problem.message} (${problem.reason})`);
      }
      this.#loads.delete(number);
    } finally {
      end();
    }
  }

  async #fetch(number: number, load: Load): Promise<LocalModel> {
    const { repository } = this.#options;
    const { source } = load.target;
    const progress = (message: string) => this.#dispatch({ kind: 'Progressed', load: number, message });
    this.#seen = this.#tried = seenAs(await repository.look(source));
    const local = await repository.fetch(source, progress, load.abort.signal);
    if (this.#refused?.content === contentOf(local, source)) throw this.#refused.error;
    return local;
  }

  async #bringUp(number: number, load: Load, local: LocalModel): Promise<HostedModel> {
    const { name, idPrefix = name, engine, clock, log } = this.#options;
    const { revision, source } = load.target;
    const { signal } = load.abort;
    const progress = (message: string) => this.#dispatch({ kind: 'Progressed', load: number, message });
    signal.throwIfAborted();
    progress(`loading ${source.uri} into TensorFlow`);
    const residentBefore = engine.stats().residentBytes;
    const id = `${idPrefix}:${revision}@${local.version ?? 1}#${number}`;
    try {
      const loaded = await loadVerified(engine, id, local, source.format);
      signal.throwIfAborted();
      progress(`warming up ${source.uri}`);
      const { warmUpRequests: requests, maxBatchSize } = this.#serving;
      const { recordedRequests = readRecordedRequests } = this.#options;
      const defaultName = defaultOf({ loaded }).name;
      const recorded = await recordedRequests(local.directory, loaded.signatures, defaultName);
      const { joinable, remarks } = await warmUp(engine, loaded, { requests, maxBatchSize, recorded });
      for (const remark of [...loaded.remarks, ...remarks])
        log.warn({ revision, remark }, 'remark about the model');
      const { version, digest } = local;
      const forecast = forecastOf(local, loaded);
      if (typeof forecast === 'string') log.warn({ revision, remark: forecast }, 'remark about the model');
      return {
        ...{ name, id, loaded, joinable, revision, digest, format: loaded.format },
        residentBytes: Math.max(0, engine.stats().residentBytes - residentBefore),
        ...(version === undefined ? {} : { version }),
        ...(forecast === undefined ? {} : { forecast }),
        lastInferenceAt: clock.epochMilliseconds(),
      };
    } catch (cause) {
      const error = signal.aborted ? undefined : loadErrorOf(cause);
      const deterministic = error && ['ModelInvalid', 'WarmUpFailed'].includes(error.reason);
      if (deterministic && error.pace === 'later') {
        this.#refused = { content: contentOf(local, source), error };
      }
      await engine.unload(id).catch(() => {});
      throw cause;
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
    if (previous) void this.#retire(previous);
    this.#options.turns.served();
  }

  #retire(model: HostedModel): Promise<void> {
    this.#retired.add(model);
    const unloaded = new Promise<void>((resolve) => this.#options.uses.whenFree(model.id, resolve)).then(() =>
      this.#unload(model),
    );
    this.#unloading.add(unloaded);
    this.#options.turns.leaving(unloaded);
    return unloaded.finally(() => this.#unloading.delete(unloaded));
  }

  async #unload(model: HostedModel): Promise<void> {
    const { engine, log } = this.#options;
    this.#retired.delete(model);
    try {
      await engine.unload(model.id);
      log.info({ model: model.id }, 'model unloaded');
    } catch (error) {
      log.warn({ model: model.id, error: (error as Error).message }, 'model not unloaded');
    }
  }

  #lookLater(): void {
    const { clock, lookIntervalSeconds = LOOK_INTERVAL_SECONDS } = this.#options;
    clock.after(lookIntervalSeconds, () => {
      if (!this.#closed) void this.#look().finally(() => this.#lookLater());
    });
  }

  /**
   * A new version directory is taken once two looks in a row have found it the same, so that one which is still
   * being written is left alone. The files of a version that is served are not looked at again.
   */
  async #look(): Promise<void> {
    const { wanted, work, draining } = this.#state;
    if (!wanted || draining || work.kind === 'Loading') return;
    const found = await this.#options.repository.look(wanted.source).catch(() => undefined);
    if (!found || this.#state.wanted !== wanted || this.#state.work !== work) return;
    const seen = seenAs(found);
    const settled = seen === this.#seen;
    this.#seen = seen;
    const served = this.#current?.revision === wanted.revision && this.#current.version === found.version;
    const nothingNew = work.kind === 'Waiting' ? seen === this.#tried : served;
    if (settled && !nothingNew) this.#dispatch({ kind: 'SourceChanged' });
  }
}

/** What is tried again is the same only when bytes and wanted format are. */
function contentOf({ digest }: LocalModel, { format }: Target['source']): string {
  return `${digest} ${format ?? ''}`;
}

/** What its `aicity.json` says of forecasts; a sentence when that does not fit the model. */
function forecastOf(
  { declaration }: LocalModel,
  { signatures }: LoadedModel,
): ForecastDeclaration | string | undefined {
  return declaration === undefined
    ? undefined
    : readDeclaration(declaration, signatures, defaultNameOf(signatures));
}

/** What the engine has read is what was verified, also when somebody writes to the volume. */
async function loadVerified(
  engine: Engine,
  id: string,
  local: LocalModel,
  format: Target['source']['format'],
): Promise<LoadedModel> {
  const loaded = await engine.load(id, local.directory, format).catch(async (cause: unknown) => {
    await local.assertUnchanged();
    throw cause;
  });
  await local.assertUnchanged();
  return loaded;
}

function servingOf({
  revision,
  version,
  format,
  digest,
  lastInferenceAt,
}: HostedModel): NonNullable<LoadReport['serving']> {
  return { revision, format, digest, lastInferenceAt, ...(version === undefined ? {} : { version }) };
}

function seenAs(found: { version?: number; stamp: string } | undefined): string | undefined {
  return found && `${found.version ?? ''} ${found.stamp}`;
}

function problemFrom(cause: unknown): Problem {
  const { reason, message, pace } = loadErrorOf(cause);
  return { reason, message, pace };
}

/** TensorFlow names a lack of memory in many ways; all of them have one of these words. */
const OUT_OF_MEMORY = /out of memory|OOM|bad_alloc|RESOURCE_EXHAUSTED|ResourceExhausted/i;

function loadErrorOf(cause: unknown): LoadError {
  if (cause instanceof LoadError) return cause;
  const { message } = cause as Error;
  if (OUT_OF_MEMORY.test(message)) {
    return new LoadError('OutOfMemory', `the model does not fit into memory: ${message}`);
  }
  if (cause instanceof EngineError && cause.kind === 'Unavailable')
    return new LoadError('EngineFailed', message);
  return new LoadError('ModelInvalid', message);
}
