/** Models on a mounted volume (`pvc://`) or in the image (`file://`): read where they lie, never copied. */
import { readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { ModelSource } from '../../crds/model-service.ts';
import { type ModelUri, parseModelUri } from '../../crds/model-uri.ts';
import { isFileError, readableSentence } from './file-error.ts';
import { LoadError } from './load-error.ts';
import { listModelFiles, stampOf, verifiedDigest } from './model-files.ts';
import { type Layout, layoutOf, listed, modelOf } from './model-layout.ts';
import type { LocalModel } from './repository.ts';

export type LocalUri = Extract<ModelUri, { path: string; scheme: 'pvc' | 'file' }>;

interface Found {
  directory: string;
  version?: number;
}

/**
 * Finds the wanted model, takes its digest and compares it with the pinned one.
 * @throws LoadError
 */
export async function openLocalModel(
  source: ModelSource,
  volumesDirectory: string,
  signal: AbortSignal,
): Promise<LocalModel> {
  return explained(source.uri, async () => {
    const found = await find(source, volumesDirectory);
    const files = await listModelFiles(found.directory);
    const before = stampOf(files);
    const place = placeOf(source.uri, found);
    const digest = await verifiedDigest(source, found.directory, files, place, signal);
    return {
      ...found,
      digest,
      cached: false,
      async assertUnchanged() {
        if (stampOf(await listModelFiles(found.directory)) === before) return;
        throw new LoadError(
          'ModelInvalid',
          `the files at ${place} changed while they were read: write a new version beside them under another name, then rename it`,
          'soon',
        );
      },
    };
  });
}

/**
 * What a fresh look would choose: the version and a stamp of its files. Cheap enough to be asked every few seconds.
 * @throws LoadError
 */
export async function lookAtLocalModel(
  source: ModelSource,
  volumesDirectory: string,
): Promise<{ version?: number; stamp: string }> {
  return explained(source.uri, async () => {
    const { directory, ...version } = await find(source, volumesDirectory);
    return { ...version, stamp: stampOf(await listModelFiles(directory)) };
  });
}

/** What the directory at the address holds. @throws LoadError */
export async function namesAtLocal(source: ModelSource, volumesDirectory: string): Promise<string[]> {
  return explained(source.uri, async () => readdir((await topOf(source, volumesDirectory)).top));
}

async function topOf(source: ModelSource, volumesDirectory: string): Promise<{ root: string; top: string }> {
  const uri = parseModelUri(source.uri) as LocalUri;
  const root = uri.scheme === 'pvc' ? join(volumesDirectory, uri.claim) : '/';
  return { root, top: await within(root, join(root, uri.path), source.uri) };
}

async function find(source: ModelSource, volumesDirectory: string): Promise<Found> {
  const { root, top } = await topOf(source, volumesDirectory);
  const layout = settled(layoutOf(await readdir(top), source, source.uri));
  if (layout.kind === 'model') return { directory: top };
  const directory = await within(root, join(top, layout.directory), source.uri);
  const found = { directory, version: layout.version };
  settled(modelOf(await readdir(directory), source, placeOf(source.uri, found)));
  return found;
}

/** A link may stand for the model's directory as long as it stays on the volume. */
async function within(root: string, path: string, uri: string): Promise<string> {
  const [realRoot, real] = [await realpath(root), await realpath(path)];
  if (realRoot === sep || real === realRoot || real.startsWith(realRoot + sep)) return real;
  throw new LoadError('AccessDenied', `${uri} leads out of its volume: give a path that stays inside`);
}

function settled(layout: Layout): Exclude<Layout, { kind: 'error' }> {
  if (layout.kind === 'error') throw layout.error;
  return layout;
}

function placeOf(uri: string, { version }: { version?: number }): string {
  return version === undefined ? uri : `${uri.replace(/\/+$/, '')}/${version}`;
}

async function explained<T>(uri: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isFileError(cause)) throw cause;
    if (cause.code === 'ENOENT') throw new LoadError('SourceNotFound', await whatIsThere(uri, cause.path));
    if (cause.code === 'ENOTDIR') {
      throw new LoadError('FormatUnknown', `${uri} is a file: give the directory that holds the model`);
    }
    throw readableSentence(cause, uri);
  }
}

/** The remedy for a wrong path is to see what is really there. */
async function whatIsThere(uri: string, path: string | undefined): Promise<string> {
  const parent = path === undefined ? undefined : join(path, '..');
  const names = parent === undefined ? undefined : await readdir(parent).catch(() => undefined);
  return names === undefined
    ? `there is nothing at ${uri}, nor at the directory above it`
    : `there is nothing at ${uri}; the directory above it holds ${listed(names)}`;
}
