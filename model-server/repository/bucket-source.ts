/**
 * Models in buckets (`s3://`, `gs://`), where directories are what the names of the objects have in common. A listing
 * says which version directories there are and what each file is, and every file is then fetched as it was listed.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { ModelSource } from '../../crds/model-service.ts';
import type { ModelUri } from '../../crds/model-uri.ts';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { type Layout, layoutOf, listed, modelOf } from './model-layout.ts';
import { ARCHIVE, fetchRemoteModel, type Part, type RemoteContext } from './remote-source.ts';
import type { LocalModel } from './repository.ts';
import { safeRelativePath } from './safe-path.ts';

export type BucketUri = Extract<ModelUri, { bucket: string }>;

export interface StoredObject {
  /** Its whole name in the bucket. */
  key: string;
  /** The same for the same content, another for other content: an ETag, a checksum. */
  validator: string;
}

export interface Listing {
  objects: StoredObject[];
  /** With a delimiter: what lies deeper, as names that end in `/`. */
  prefixes: string[];
}

/** One bucket of one store. Its errors are LoadErrors. */
export interface Bucket {
  /** How messages call a key, with the store that was asked. */
  place(key: string): Promise<string>;
  /** At most `MAX_FILES` and one page more. @param deep whether to list all that lies below, not only the next level. */
  list(prefix: string, deep: boolean): Promise<Listing>;
  /** The request for an object; with a listed one, for that content and no other. */
  part(object: StoredObject | { key: string }): Promise<Part>;
}

interface Found {
  /** Ends in `/`, or is empty for the whole bucket. */
  prefix: string;
  version?: number;
}

/** @throws LoadError */
export function fetchBucketModel(
  source: ModelSource,
  uri: BucketUri,
  bucket: Bucket,
  context: RemoteContext,
): Promise<LocalModel> {
  return fetchRemoteModel(source, context, async (workplace) => {
    const key = keyOf(uri, source);
    if (isArchive(uri)) return workplace.archive(await bucket.part({ key }), basename(key));
    const { prefix, version } = await find(source, uri, bucket);
    const files = filesBelow(prefix, (await bucket.list(prefix, true)).objects, source.uri);
    await workplace.severally(files, async ({ path, ...object }) =>
      workplace.listedFile(path, object.validator, await bucket.part(object)),
    );
    return { directory: workplace.directory, version };
  });
}

/**
 * What a fetch would choose now; undefined for an archive, which has no versions outside.
 * @throws LoadError
 */
export async function lookAtBucket(
  source: ModelSource,
  uri: BucketUri,
  bucket: Bucket,
): Promise<{ version?: number; stamp: string } | undefined> {
  if (isArchive(uri)) return undefined;
  const { prefix, ...version } = await find(source, uri, bucket);
  const files = filesBelow(prefix, (await bucket.list(prefix, true)).objects, source.uri);
  const stamp = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  return { ...version, stamp };
}

/** What the directory at the address holds. @throws LoadError */
export async function namesInBucket(source: ModelSource, uri: BucketUri, bucket: Bucket): Promise<string[]> {
  const key = keyOf(uri, source);
  const prefix = key === '' ? '' : `${key}/`;
  const names = namesBelow(prefix, await bucket.list(prefix, false));
  if (names.length === 0) throw await nothingThere(prefix, await bucket.place(prefix), bucket);
  return names;
}

function isArchive({ path }: BucketUri): boolean {
  return ARCHIVE.test(path);
}

/** The address without the slash in front and without the model file, if it names one. */
function keyOf({ path }: BucketUri, { uri }: ModelSource): string {
  const key = path.replace(/^\/+/, '').replace(/(^|\/)(model\.json|saved_model\.pb)$/, '');
  if (key === '' || key.split('/').every((segment) => segment !== '.' && segment !== '..')) return key;
  throw new LoadError('SourceNotFound', `${uri} has . or .. in it: give the name as it stands in the bucket`);
}

async function find(source: ModelSource, uri: BucketUri, bucket: Bucket): Promise<Found> {
  const key = keyOf(uri, source);
  const prefix = key === '' ? '' : `${key}/`;
  const place = await bucket.place(prefix);
  const names = namesBelow(prefix, await bucket.list(prefix, false));
  if (names.length === 0) throw await nothingThere(prefix, place, bucket);
  const layout = settled(layoutOf(names, source, place));
  if (layout.kind === 'model') return { prefix };
  const inside = `${prefix}${layout.directory}/`;
  const within = namesBelow(inside, await bucket.list(inside, false));
  settled(modelOf(within, source, await bucket.place(inside)));
  return { prefix: inside, version: layout.version };
}

function settled(layout: Layout): Exclude<Layout, { kind: 'error' }> {
  if (layout.kind === 'error') throw layout.error;
  return layout;
}

function namesBelow(prefix: string, { objects, prefixes }: Listing): string[] {
  return [...objects.map(({ key }) => key), ...prefixes.map((name) => name.replace(/\/$/, ''))]
    .map((name) => name.slice(prefix.length))
    .filter((name) => name !== '');
}

/** The remedy for a wrong name is to see what is really there. */
async function nothingThere(prefix: string, place: string, bucket: Bucket): Promise<LoadError> {
  const above = prefix.replace(/[^/]+\/$/, '');
  const names = above === prefix ? [] : namesBelow(above, await bucket.list(above, false));
  const beside =
    above === prefix ? 'the bucket is empty' : `the directory above it holds ${listed([...new Set(names)])}`;
  return new LoadError('SourceNotFound', `there is nothing below ${place}; ${beside}`);
}

function filesBelow(
  prefix: string,
  objects: readonly StoredObject[],
  place: string,
): (StoredObject & { path: string })[] {
  // Tools that show buckets as directories leave empty objects whose names end in a slash.
  const files = objects.filter(({ key }) => !key.endsWith('/'));
  if (files.length > MAX_FILES) {
    throw new LoadError(
      'FormatUnknown',
      `${place} holds more than ${MAX_FILES} files: give the directory of the model itself`,
    );
  }
  return files.map((object) => {
    const path = object.key.slice(prefix.length);
    if (safeRelativePath(path) === path) return { ...object, path };
    throw new LoadError(
      'FormatUnknown',
      `${place} holds ${JSON.stringify(object.key.slice(0, 200))}, which is no name of a file: rename it`,
    );
  });
}
