/**
 * Models that are fetched into the cache, wherever they come from: when what is there is still what the address gives,
 * what happens when the address does not answer, and that nothing is served that was not verified.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pLimit from 'p-limit';
import type { ModelSource } from '../../crds/model-service.ts';
import { extractArchive } from './archive.ts';
import type { AwsContext } from './aws-access.ts';
import type { ModelCache, SourceRecord } from './cache.ts';
import { type ByteBudget, type Download, download } from './download.ts';
import { isFileError, readableSentence } from './file-error.ts';
import type { GoogleContext } from './google-access.ts';
import type { Target } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { digestOf, listModelFiles, verifiedDigest } from './model-files.ts';
import { layoutOf, modelOf } from './model-layout.ts';
import type { TransferMeans } from './persistence.ts';
import type { LocalModel } from './repository.ts';

export interface RemoteContext extends AwsContext, GoogleContext {
  cache: ModelCache;
  maxModelBytes: number;
  /** Told in a sentence what is going on. */
  progress(sentence: string): void;
}

/** Puts the wanted model into the workplace, or says that the address still gives what it gave last. */
export type Bring = (workplace: Workplace) => Promise<Fetched | 'unchanged'>;

export interface Fetched {
  directory: string;
  version?: number | undefined;
}

const PARALLEL_FILES = 4;
export const ARCHIVE = /\.(tar\.gz|tgz|tar|zip)$/i;

/**
 * Fetches the model into the cache, or finds that what is there is still what the address gives. When the address
 * does not answer, what it gave last is served from the cache: a restarted container starts without its source.
 * @throws LoadError
 */
export async function fetchRemoteModel(
  source: ModelSource,
  context: RemoteContext,
  bring: Bring,
): Promise<LocalModel> {
  const pinned =
    source.digest === undefined ? undefined : await fromCache(source, source.digest, source.version, context);
  if (pinned) return pinned;
  const record = await context.cache.recall(source);
  try {
    return await fetchAnew(source, record, context, bring);
  } catch (error) {
    if (!(error instanceof LoadError) || error.reason !== 'SourceUnreachable') throw error;
    const last =
      record && !source.digest && (await fromCache(source, record.digest, record.version, context));
    if (!last) throw error;
    context.progress(`${error.message}; serving what it gave last`);
    return last;
  }
}

/**
 * A cached model whose files still have the digest that is their name.
 * @throws LoadError when it is not signed as the source asks.
 */
async function fromCache(
  source: ModelSource,
  digest: string,
  version: number | undefined,
  { cache, signal }: RemoteContext,
): Promise<LocalModel | undefined> {
  const directory = await cache.find(digest);
  if (!directory) return undefined;
  const files = await listModelFiles(directory);
  if ((await digestOf(directory, files, signal)) === digest) {
    if (source.signature) await verifiedDigest(source, directory, files, source.uri, signal);
    return cachedModel(directory, digest, version);
  }
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
  context: RemoteContext,
  bring: Bring,
): Promise<LocalModel> {
  const place = await context.cache.partial();
  const workplace = new Workplace(source, place, record, context);
  try {
    const fetched = await bring(workplace);
    if (fetched === 'unchanged' && record) {
      const same = await fromCache(source, record.digest, record.version, context);
      if (same) return same;
      return await fetchAnew(source, undefined, context, bring);
    }
    const { directory, version } = fetched === 'unchanged' ? { directory: place } : fetched;
    const files = await listModelFiles(directory);
    context.progress(`verifying the ${files.length} files from ${source.uri}`);
    const digest = await verifiedDigest(source, directory, files, source.uri, context.signal);
    const admitted = await context.cache.admit(directory, digest);
    await context.cache.remember(source, {
      digest,
      etags: workplace.etags,
      ...(version === undefined ? {} : { version }),
    });
    return cachedModel(admitted, digest, version);
  } catch (error) {
    throw isFileError(error) ? readableSentence(error, source.uri) : error;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** What a file is asked for with: all but where it is put and what every transfer needs. */
export type Part = Target & Pick<Download, 'immutable' | 'mustMatch' | 'sha256'>;

/** Where one fetch of one model puts its files. */
export class Workplace {
  readonly source: ModelSource;
  readonly directory: string;
  readonly means: TransferMeans;
  /** ETag or other validator per file, to be remembered. */
  readonly etags: Record<string, string> = {};
  readonly #record: SourceRecord | undefined;
  readonly #context: RemoteContext;
  readonly #budget: ByteBudget;

  constructor(
    source: ModelSource,
    directory: string,
    record: SourceRecord | undefined,
    context: RemoteContext,
  ) {
    this.source = source;
    this.directory = directory;
    this.means = context;
    this.#record = record;
    this.#context = context;
    this.#budget = byteBudget(context.maxModelBytes, source.uri, (bytes) =>
      context.progress(`fetching ${source.uri}: ${(bytes / 2 ** 20).toFixed(1)} MiB so far`),
    );
  }

  /** The validator that a file had last time. */
  known(key: string): string | undefined {
    return this.#record?.etags[key];
  }

  /** Downloads a model file, or takes the cached one when the address says that it is still the same. */
  async file(path: string, part: Part): Promise<void> {
    const target = await this.#room(path);
    const outcome = await this.#download(part, target, path, this.known(path));
    if (outcome === 'unchanged') await this.#reuse(path);
  }

  /** The same for a file whose validator is known beforehand, from a listing. */
  async listedFile(path: string, etag: string, part: Part): Promise<void> {
    const target = await this.#room(path);
    if (this.known(path) === etag) await this.#reuse(path);
    else await this.#download(part, target, path, undefined);
    this.etags[path] = etag;
  }

  /** Downloads an archive that holds the model and unpacks it. */
  async archive(part: Part, key: string): Promise<Fetched | 'unchanged'> {
    const archive = join(this.directory, 'archive');
    const model = join(this.directory, 'model');
    if ((await this.#download(part, archive, key, this.known(key))) === 'unchanged') return 'unchanged';
    await this.unpack(archive, model, this.source.uri);
    return modelWithin(model, this.source, this.source.uri);
  }

  /** Downloads a file to a place that is chosen. */
  async raw(part: Part, file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    await this.#download(part, file, '', undefined);
  }

  /** Unpacks an archive into a directory, which may exist, and removes the archive. */
  async unpack(archive: string, directory: string, place: string): Promise<void> {
    this.#context.progress(`unpacking ${place}`);
    await mkdir(directory, { recursive: true });
    await extractArchive(archive, directory, this.#budget, place, this.#context.signal);
    await rm(archive);
  }

  /** Runs a few at a time; all have ended, well or not, before the first error is thrown. */
  async severally<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const limit = pLimit(PARALLEL_FILES);
    await allOrFirstError(items.map((item) => limit(() => work(item))));
  }

  async #room(path: string): Promise<string> {
    const target = join(this.directory, path);
    await mkdir(dirname(target), { recursive: true });
    return target;
  }

  async #reuse(path: string): Promise<void> {
    if (this.#record) await this.#context.cache.reuse(this.#record.digest, path, this.directory);
  }

  async #download(
    part: Part,
    file: string,
    key: string,
    etag: string | undefined,
  ): Promise<'fetched' | 'unchanged'> {
    const { limits, clock, signal } = this.#context;
    const outcome = await download({ ...part, file, etag, budget: this.#budget, limits, clock, signal });
    const found = outcome.unchanged ? etag : outcome.etag;
    if (found !== undefined && key !== '') this.etags[key] = found;
    return outcome.unchanged ? 'unchanged' : 'fetched';
  }
}

/** Archives often hold the model below one directory of its name. */
export async function modelWithin(directory: string, source: ModelSource, place: string): Promise<Fetched> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.map(({ name }) => name);
  const [only] = entries;
  if (names.length === 1 && only?.isDirectory() && !/^\d+$/.test(only.name)) {
    return modelWithin(join(directory, only.name), source, `${place} (in ${only.name}/)`);
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
