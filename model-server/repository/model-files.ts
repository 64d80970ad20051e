/** The files of a model directory: which they are, whether they changed, and their digest. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ModelSource } from '../../crds/model-service.ts';
import { digestDocument } from './digest-document.ts';
import type { DigestTask } from './digest-thread.ts';
import { LoadError } from './load-error.ts';
import { safeRelativePath } from './safe-path.ts';
import { verifySignature } from './signature.ts';

export interface ModelFile {
  /** Relative to the model directory, with `/`. */
  path: string;
  bytes: number;
  /** Changes when the file is replaced or written to. */
  stamp: string;
}

export const MAX_FILES = 10_000;
/** Some ten milliseconds of work, in pieces of one. */
const MOST_BYTES_WITHOUT_THREAD = 16 << 20;

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
 * Gigabytes are read in a thread of its own, since they would hold up requests, and look like load. To start one takes
 * longer than to read a small model.
 * @param files as `listModelFiles` gives them.
 */
async function documentOf(
  directory: string,
  files: readonly ModelFile[],
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const paths = files.map(({ path }) => path);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes <= MOST_BYTES_WITHOUT_THREAD) return await digestDocument(directory, paths, signal);
  const workerData: DigestTask = { directory, paths };
  const worker = new Worker(new URL('./digest-thread.ts', import.meta.url), { workerData, name: 'digest' });
  const stop = () => void worker.terminate();
  signal.addEventListener('abort', stop);
  try {
    const [document] = (await once(worker, 'message', { signal })) as [string];
    return document;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A model's digest, as `spec.model.digest` states it. */
export async function digestOf(
  directory: string,
  files: readonly ModelFile[],
  signal: AbortSignal,
): Promise<string> {
  return digestOfDocument(await documentOf(directory, files, signal));
}

/**
 * The digest of a model that is what it should be and from whom it should be.
 * @param place how messages call the model.
 * @throws LoadError DigestMismatch, SignatureMissing or SignatureInvalid.
 */
export async function verifiedDigest(
  { digest: wanted, signature }: Pick<ModelSource, 'digest' | 'signature'>,
  directory: string,
  files: readonly ModelFile[],
  place: string,
  signal: AbortSignal,
): Promise<string> {
  const document = await documentOf(directory, files, signal);
  const found = digestOfDocument(document);
  if (wanted !== undefined && wanted !== found) {
    throw new LoadError(
      'DigestMismatch',
      `the ${files.length} files at ${place} have the digest ${found}, and spec.model.digest is ${wanted}: publish the model that was meant, or change spec.model.digest`,
    );
  }
  if (signature) await verifySignature(signature.publicKey, directory, document, place);
  return found;
}

function digestOfDocument(document: string): string {
  return `sha256:${createHash('sha256').update(document).digest('hex')}`;
}
