/** Models as `.zip`; bounds and refusals as for tar archives, see `archive.ts`. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type Entry, open, type ZipFile } from 'yauzl';
import type { ByteBudget } from './download.ts';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { safeRelativePath } from './safe-path.ts';

const openZip = promisify<string, { lazyEntries: true; autoClose: false }, ZipFile>(open);
/** The kind of a file in the upper half of the attributes, where a Unix tool has written the archive. */
const [KIND, REGULAR, UNSAID] = [0o170_000, 0o100_000, 0];

/**
 * @returns how many files there were.
 * @throws LoadError for what a model archive must not hold, and Error for what is no zip archive.
 */
export async function extractZip(
  archive: string,
  directory: string,
  budget: ByteBudget,
  place: string,
  signal: AbortSignal,
): Promise<number> {
  const zip = await openZip(archive, { lazyEntries: true, autoClose: false });
  let files = 0;
  try {
    for await (const entry of entriesOf(zip)) {
      if (entry.fileName.endsWith('/')) continue;
      const path = placeInside(entry, place);
      if (++files > MAX_FILES) throw refused(place, `more than ${MAX_FILES} files`, 'pack the model alone');
      // What unpacks to more than it says ends with an error of the library's.
      budget.take(entry.uncompressedSize);
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true });
      await pipeline(await contentOf(zip, entry), createWriteStream(target, { flags: 'wx' }), { signal });
    }
  } finally {
    zip.close();
  }
  return files;
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (let read = 0; read < zip.entryCount; read++) {
    yield await new Promise<Entry>((resolve, reject) => {
      zip.removeAllListeners('entry').removeAllListeners('error').removeAllListeners('end');
      zip
        .once('entry', resolve)
        .once('error', reject)
        .once('end', () => reject(new Error('it ends too early')));
      zip.readEntry();
    });
  }
}

function contentOf(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (stream ? resolve(stream) : reject(error)));
  });
}

function placeInside({ fileName, externalFileAttributes, ...entry }: Entry, place: string): string {
  const name = JSON.stringify(fileName.slice(0, 200));
  const kind = (externalFileAttributes >>> 16) & KIND;
  if (kind !== REGULAR && kind !== UNSAID) {
    throw refused(place, `the link or special file ${name}`, 'pack only files and directories');
  }
  if (entry.generalPurposeBitFlag & 1)
    throw refused(place, `the encrypted file ${name}`, 'pack it without a password');
  const path = safeRelativePath(fileName);
  if (path !== undefined) return path;
  throw refused(place, `${name}, which leads out of the archive`, 'pack relative names without ..');
}

function refused(place: string, what: string, remedy: string): LoadError {
  return new LoadError('FormatUnknown', `${place} holds ${what}: ${remedy}`);
}
