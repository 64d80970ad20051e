/**
 * Models over `http://` and `https://`. A directory cannot be listed there, so what is fetched follows from the
 * names that every model has:
 *
 * - `…/NAME.tar.gz`, `.tgz` or `.tar`: an archive of any format, of version directories too;
 * - `…/model.json`, or a directory with one: TensorFlow.js, its weight shards named in `weightsManifest`;
 * - `…/saved_model.pb`, or a directory with one: a SavedModel without assets, its shards counted in
 *   `variables/variables.index`;
 * - with `spec.model.version` the directory of that name below the address.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import pLimit from 'p-limit';
import type { ModelSource } from '../../crds/model-service.ts';
import type { Clock } from '../clock.ts';
import { extractArchive } from './archive.ts';
import type { ModelCache, SourceRecord } from './cache.ts';
import { type ByteBudget, type DownloadLimits, download } from './download.ts';
import { isFileError, readableSentence } from './file-error.ts';
import { LoadError } from './load-error.ts';
import { digestOf, listModelFiles, verifyDigest } from './model-files.ts';
import { isModel, layoutOf, MODEL_FILES, modelOf } from './model-layout.ts';
import type { LocalModel } from './repository.ts';
import { savedModelShards } from './saved-model-shards.ts';
import { tfjsShards } from './tfjs-shards.ts';

export interface HttpContext {
  cache: ModelCache;
  limits: DownloadLimits;
  maxModelBytes: number;
  clock: Clock;
  signal: AbortSignal;
  /** Told in a sentence what is going on. */
  progress(sentence: string): void;
}

const PARALLEL_FILES = 4;
const ARCHIVE = /\.(tar\.gz|tgz|tar)$/i;

/**
 * Fetches the model into the cache, or finds that what is there is still what the address gives. When the address
 * does not answer, what it gave last is served from the cache: a restarted container starts without its source.
 * @throws LoadError
 */
export async function fetchHttpModel(source: ModelSource, context: HttpContext): Promise<LocalModel> {
  const pinned =
    source.digest === undefined ? undefined : await fromCache(source.digest, source.version, context);
  if (pinned) return pinned;
  const record = await context.cache.recall(source);
  try {
    return await fetchAnew(source, record, context);
  } catch (error) {
    if (!(error instanceof LoadError) || error.reason !== 'SourceUnreachable') throw error;
    const last = record && !source.digest && (await fromCache(record.digest, record.version, context));
    if (!last) throw error;
    context.progress(`${error.message}; serving what it gave last`);
    return last;
  }
}

/** A cached model whose files still have the digest that is their name. */
async function fromCache(
  digest: string,
  version: number | undefined,
  { cache, signal }: HttpContext,
): Promise<LocalModel | undefined> {
  const directory = await cache.find(digest);
  if (!directory) return undefined;
  const found = await digestOf(directory, await listModelFiles(directory), signal);
  if (found === digest) return cachedModel(directory, digest, version);
  await rm(directory, { recursive: true, force: true });
  return undefined;
}

function cachedModel(directory: string, digest: string, version: number | undefined): LocalModel {
  return {
    directory,
    digest,
    cached: true,
    ...(version === undefined ? {} : { version }),
    assertUnchanged: () => Promise.resolve(),
  };
}

async function fetchAnew(
  source: ModelSource,
  record: SourceRecord | undefined,
  context: HttpContext,
): Promise<LocalModel> {
  const workplace = await context.cache.partial();
  const transfer = new Transfer(source, workplace, record, context);
  try {
    const fetched = ARCHIVE.test(source.uri) ? await transfer.archive() : await transfer.directory();
    if (fetched === 'unchanged' && record) {
      const same = await fromCache(record.digest, record.version, context);
      if (same) return same;
      return await fetchAnew(source, undefined, context);
    }
    const { directory, version } = fetched === 'unchanged' ? { directory: workplace } : fetched;
    const files = await listModelFiles(directory);
    context.progress(`verifying the ${files.length} files from ${source.uri}`);
    const digest = await digestOf(directory, files, context.signal);
    verifyDigest(digest, source.digest, files, source.uri);
    const place = await context.cache.admit(directory, digest);
    await context.cache.remember(source, {
      digest,
      etags: transfer.etags,
      ...(version === undefined ? {} : { version }),
    });
    return cachedModel(place, digest, version);
  } catch (error) {
    throw isFileError(error) ? readableSentence(error, source.uri) : error;
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
}

interface Fetched {
  directory: string;
  version?: number | undefined;
}

/** One fetch of one model into a directory of its own. */
class Transfer {
  readonly etags: Record<string, string> = {};
  readonly #source: ModelSource;
  readonly #workplace: string;
  readonly #record: SourceRecord | undefined;
  readonly #context: HttpContext;
  readonly #budget: ByteBudget;

  constructor(
    source: ModelSource,
    workplace: string,
    record: SourceRecord | undefined,
    context: HttpContext,
  ) {
    this.#source = source;
    this.#workplace = workplace;
    this.#record = record;
    this.#context = context;
    this.#budget = byteBudget(context.maxModelBytes, source.uri, (bytes) =>
      context.progress(`fetching ${source.uri}: ${(bytes / 2 ** 20).toFixed(1)} MiB so far`),
    );
  }

  async archive(): Promise<Fetched | 'unchanged'> {
    const { uri } = this.#source;
    const name = basename(uri);
    const archive = join(this.#workplace, 'archive');
    const directory = join(this.#workplace, 'model');
    const outcome = await this.#download(uri, archive, name);
    if (outcome === 'unchanged') return 'unchanged';
    this.#context.progress(`unpacking ${uri}`);
    await mkdir(directory);
    await extractArchive(archive, directory, this.#budget, uri, this.#context.signal);
    await rm(archive);
    return modelWithin(directory, this.#source, uri);
  }

  async directory(): Promise<Fetched> {
    const { uri, format, version } = this.#source;
    const explicit = /^(.*)\/(model\.json|saved_model\.pb)$/.exec(uri);
    if (explicit && version !== undefined) {
      throw new LoadError(
        'VersionNotFound',
        `${uri} names one model, and spec.model.version is ${version}: remove spec.model.version, or give the directory that holds ${version}/`,
      );
    }
    const base =
      explicit?.[1] ?? [uri.replace(/\/+$/, ''), version].filter((part) => part !== undefined).join('/');
    const candidates = explicit?.[2] ? [explicit[2]] : candidateFiles(format);
    const problems: LoadError[] = [];
    for (const file of candidates) {
      try {
        await this.#file(base, file);
      } catch (error) {
        // Some stores answer 403 for a name that does not exist.
        if (!(error instanceof LoadError) || !['SourceNotFound', 'AccessDenied'].includes(error.reason))
          throw error;
        problems.push(error);
        continue;
      }
      await (file === MODEL_FILES.SavedModel ? this.#variables(base) : this.#weights(base));
      return { directory: this.#workplace, version };
    }
    throw nothingThere(base, candidates, problems, version);
  }

  /** The weight shards of a TensorFlow.js model. */
  async #weights(base: string): Promise<void> {
    const shards = await tfjsShards(join(this.#workplace, 'model.json'), `${base}/model.json`);
    const limit = pLimit(PARALLEL_FILES);
    await allOrFirstError(shards.map((shard) => limit(() => this.#file(base, shard))));
  }

  /** The variables of a SavedModel, and what other tools leave beside them, so that the digest covers it. */
  async #variables(base: string): Promise<void> {
    for (const extra of ['fingerprint.pb', 'keras_metadata.pb']) await this.#optional(base, extra);
    const index = 'variables/variables.index';
    if (!(await this.#optional(base, index))) return;
    const shards = await savedModelShards(join(this.#workplace, index), `${base}/${index}`);
    const limit = pLimit(PARALLEL_FILES);
    await allOrFirstError(shards.map((shard) => limit(() => this.#file(base, `variables/${shard}`))));
  }

  async #optional(base: string, path: string): Promise<boolean> {
    try {
      await this.#file(base, path);
      return true;
    } catch (error) {
      const absent = error instanceof LoadError && ['SourceNotFound', 'AccessDenied'].includes(error.reason);
      if (absent) return false;
      throw error;
    }
  }

  async #file(base: string, path: string): Promise<void> {
    const target = join(this.#workplace, path);
    await mkdir(dirname(target), { recursive: true });
    const url = `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
    const outcome = await this.#download(url, target, path);
    if (outcome === 'unchanged' && this.#record) {
      await this.#context.cache.reuse(this.#record.digest, path, this.#workplace);
    }
  }

  async #download(url: string, file: string, key: string): Promise<'fetched' | 'unchanged'> {
    const { limits, clock, signal } = this.#context;
    const known = this.#record?.etags[key];
    const outcome = await download({ url, file, etag: known, budget: this.#budget, limits, clock, signal });
    const etag = outcome.unchanged ? known : outcome.etag;
    if (etag !== undefined) this.etags[key] = etag;
    return outcome.unchanged ? 'unchanged' : 'fetched';
  }
}

function candidateFiles(format: ModelSource['format']): string[] {
  return format ? [MODEL_FILES[format]] : [MODEL_FILES.TFJSGraph, MODEL_FILES.SavedModel];
}

function nothingThere(
  base: string,
  candidates: string[],
  problems: LoadError[],
  version: number | undefined,
): LoadError {
  const denied = problems.every(({ reason }) => reason === 'AccessDenied') ? problems[0] : undefined;
  if (denied) return denied;
  const files = candidates.join(' nor ');
  return new LoadError(
    version === undefined ? 'SourceNotFound' : 'VersionNotFound',
    `there is ${candidates.length > 1 ? 'neither' : 'no'} ${files} at ${base}/: give the directory of the model itself${version === undefined ? ' (over http it cannot be listed, so set spec.model.version for a version directory)' : ''}, or a .tar.gz of it`,
  );
}

/** Archives often hold the model below one directory of its name. */
async function modelWithin(directory: string, source: ModelSource, place: string): Promise<Fetched> {
  const names = await readdir(directory);
  const [only] = names;
  if (names.length === 1 && only && !isModel(names) && !/^\d+$/.test(only)) {
    return modelWithin(join(directory, only), source, `${place} (in ${only}/)`);
  }
  const layout = layoutOf(names, source, place);
  if (layout.kind === 'error') throw layout.error;
  if (layout.kind === 'model') return { directory };
  const inside = join(directory, layout.directory);
  const within = modelOf(await readdir(inside), source, `${place} (in ${layout.directory}/)`);
  if (within.kind === 'error') throw within.error;
  return { directory: inside, version: layout.version };
}

function byteBudget(maxBytes: number, place: string, taken: (bytes: number) => void): ByteBudget {
  let used = 0;
  return {
    take(bytes) {
      used += bytes;
      taken(used);
      if (used <= maxBytes) return;
      throw new LoadError(
        'ModelInvalid',
        `${place} holds more than ${(maxBytes / 2 ** 30).toFixed(1)} GiB: raise MODEL_SERVER_MAX_MODEL_BYTES in spec.podTemplate.env if that is meant`,
      );
    },
  };
}

/** Waits for all, so that nothing is still being written when the directory goes, then throws what came first. */
async function allOrFirstError(work: Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}
