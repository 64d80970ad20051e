/** The files of a model directory: which they are, whether they changed, and their digest. */
import { once } from 'node:events';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DigestTask } from './digest-thread.ts';
import { LoadError } from './load-error.ts';
import { safeRelativePath } from './safe-path.ts';

export interface ModelFile {
  /** Relative to the model directory, with `/`. */
  path: string;
  bytes: number;
  /** Changes when the file is replaced or written to. */
  stamp: string;
}

export const MAX_FILES = 10_000;

/**
 * All files below a directory in the order of the digest: by the bytes of their paths.
 * @throws LoadError when there is anything but files and directories: a link could lead out of the model.
 */
export async function listModelFiles(directory: string): Promise<ModelFile[]> {
  const files: ModelFile[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (safeRelativePath(path) !== path) {
        throw new LoadError(
          'FormatUnknown',
          `the file name ${JSON.stringify(path)} is not accepted: rename it without backslashes and control characters`,
        );
      }
      if (entry.isDirectory()) await visit(path);
      else if (entry.isFile()) {
        const { size, mtimeNs, ctimeNs, ino } = await lstat(join(directory, path), { bigint: true });
        files.push({ path, bytes: Number(size), stamp: `${ino}/${size}/${mtimeNs}/${ctimeNs}` });
      } else {
        throw new LoadError(
          'FormatUnknown',
          `${JSON.stringify(path)} in the model is a link or a special file: put the file itself there`,
        );
      }
      if (files.length > MAX_FILES) {
        throw new LoadError(
          'FormatUnknown',
          `the model has more than ${MAX_FILES} files: give the directory of the model itself`,
        );
      }
    }
  };
  await visit('');
  return files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

/** Equal for equal listings; another as soon as a file came, went or was written to. */
export function stampOf(files: readonly ModelFile[]): string {
  return files.map(({ path, stamp }) => `${path} ${stamp}`).join('\n');
}

/**
 * The digest of `spec.model.digest`: SHA-256 over the lines `<SHA-256 of the file>  <path>\n`, sorted by path. It is
 * taken in a thread of its own: gigabytes would hold up requests, and look like load.
 * @param files as `listModelFiles` gives them.
 */
export async function digestOf(
  directory: string,
  files: readonly ModelFile[],
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const paths = files.map(({ path }) => path);
  const workerData: DigestTask = { directory, paths };
  const worker = new Worker(new URL('./digest-thread.ts', import.meta.url), { workerData, name: 'digest' });
  const stop = () => void worker.terminate();
  signal.addEventListener('abort', stop);
  try {
    const [digest] = (await once(worker, 'message', { signal })) as [string];
    return digest;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** @throws LoadError DigestMismatch when the wanted digest is another. */
export function verifyDigest(
  found: string,
  wanted: string | undefined,
  files: readonly ModelFile[],
  place: string,
): void {
  if (wanted === undefined || wanted === found) return;
  throw new LoadError(
    'DigestMismatch',
    `the ${files.length} files at ${place} have the digest ${found}, and spec.model.digest is ${wanted}: publish the model that was meant, or change spec.model.digest`,
  );
}
