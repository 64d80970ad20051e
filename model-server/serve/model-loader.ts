/** Brings a model from its address into memory: fetches, verifies, loads and warms up. One for each host. */
import type { Logger } from 'pino';
import type { Serving } from '../../crds/model-service.ts';
import type { Clock } from '../clock.ts';
import type { Engine, LoadedModel } from '../engine/engine.ts';
import { type ForecastDeclaration, readDeclaration } from '../protocol/forecast-model.ts';
import type { LoadError } from '../repository/load-error.ts';
import type { LocalModel, Repository } from '../repository/repository.ts';
import type { HostedModel } from './hosted-model.ts';
import type { Target } from './lifecycle.ts';
import { loadErrorOf } from './load-failure.ts';
import { readRecordedRequests } from './recorded-requests.ts';
import { defaultNameOf, defaultOf } from './signatures.ts';
import { warmUp } from './warm-up.ts';

export interface ModelLoaderOptions {
  /** In requests. */
  readonly name: string;
  /** What the engine's names for its models begin with; no other host of the process has the same. */
  readonly idPrefix?: string;
  readonly engine: Engine;
  readonly repository: Repository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Reads what a model brings along to be warmed up with. */
  readonly recordedRequests?: typeof readRecordedRequests;
}

/** One try to load a model. */
export interface Try {
  /** No other try of this host has it. */
  readonly number: number;
  readonly target: Target;
  readonly signal: AbortSignal;
  /** Hears how far it is, in a part of a sentence. */
  readonly progress: (message: string) => void;
}

export class ModelLoader {
  readonly #options: ModelLoaderOptions;
  /** What TensorFlow refused, with what it said: the same bytes are not tried again. */
  #refused: { readonly content: string; readonly error: LoadError } | undefined;

  constructor(options: ModelLoaderOptions) {
    this.#options = options;
  }

  /** @throws LoadError also for what TensorFlow has refused already */
  async fetch({ target: { source }, progress, signal }: Try): Promise<LocalModel> {
    const local = await this.#options.repository.fetch(source, progress, signal);
    if (this.#refused?.content === contentOf(local, source)) throw this.#refused.error;
    return local;
  }

  /**
   * Nothing of it is left in the engine when it fails.
   *
   * @throws what {@link loadErrorOf} tells the reason of
   */
  async bringUp(attempt: Try, local: LocalModel, serving: Serving): Promise<HostedModel> {
    const { name, idPrefix = name, engine } = this.#options;
    const { number, signal, target } = attempt;
    signal.throwIfAborted();
    const id = `${idPrefix}:${target.revision}@${local.version ?? 1}#${number}`;
    try {
      return await this.#intoMemory(id, attempt, local, serving);
    } catch (cause) {
      if (!signal.aborted) this.#remember(loadErrorOf(cause), local, target.source);
      await engine.unload(id).catch(() => {});
      throw cause;
    }
  }

  async #intoMemory(id: string, attempt: Try, local: LocalModel, serving: Serving): Promise<HostedModel> {
    const { name, engine, clock, log, recordedRequests = readRecordedRequests } = this.#options;
    const { revision, source } = attempt.target;
    attempt.progress(`loading ${source.uri} into TensorFlow`);
    const residentBefore = engine.stats().residentBytes;
    const loaded = await loadVerified(engine, id, local, source.format);
    attempt.signal.throwIfAborted();
    attempt.progress(`warming up ${source.uri}`);
    const { warmUpRequests: requests, maxBatchSize } = serving;
    const recorded = await recordedRequests(local.directory, loaded.signatures, defaultOf({ loaded }).name);
    const { joinable, remarks } = await warmUp(engine, loaded, { requests, maxBatchSize, recorded });
    const forecast = forecastOf(local, loaded);
    const unfit = typeof forecast === 'string' ? [forecast] : [];
    for (const remark of [...loaded.remarks, ...remarks, ...unfit]) {
      log.warn({ revision, remark }, 'remark about the model');
    }
    const { version, digest } = local;
    return {
      ...{ name, id, loaded, joinable, revision, digest, format: loaded.format },
      residentBytes: Math.max(0, engine.stats().residentBytes - residentBefore),
      ...(version === undefined ? {} : { version }),
      ...(forecast === undefined ? {} : { forecast }),
      lastInferenceAt: clock.epochMilliseconds(),
    };
  }

  /** Only what the bytes themselves are to blame for. */
  #remember(error: LoadError, local: LocalModel, source: Target['source']): void {
    const isOfTheBytes = error.reason === 'ModelInvalid' || error.reason === 'WarmUpFailed';
    if (isOfTheBytes && error.pace === 'later') this.#refused = { content: contentOf(local, source), error };
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
