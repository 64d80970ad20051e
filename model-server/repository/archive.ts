/**
 * Models as `.tar.gz` (or plain `.tar`), or as `.zip`. The entries are written by us, not by the archive: only files and
 * directories, only below the target, and no more than the budget, so that a small archive cannot fill the disk.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import type { ByteBudget } from './download.ts';
import { isFileError, readableSentence } from './file-error.ts';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { safeRelativePath } from './safe-path.ts';
import { extractZip } from './zip-archive.ts';

/** @throws LoadError when the archive is damaged, or holds what a model archive must not hold. */
export async function extractArchive(
  archive: string,
  directory: string,
  budget: ByteBudget,
  place: string,
  signal: AbortSignal,
): Promise<void> {
  const head = await headOf(archive);
  if (isZip(head)) return explained(place, () => unzipped(archive, directory, budget, place, signal));
  const entries = extract();
  const stages = [...(isGzip(head) ? [createGunzip()] : []), entries as unknown as NodeJS.WritableStream];
  const unpacked = pipeline([createReadStream(archive), ...stages], { signal });
  try {
    await Promise.all([unpacked, writeEntries(entries, directory, budget, place)]);
  } catch (cause) {
    entries.destroy();
    await unpacked.catch(() => {});
    throw sentenceOf(cause, place);
  }
}

async function unzipped(...[archive, directory, budget, place, signal]: Parameters<typeof extractZip>) {
  const files = await extractZip(archive, directory, budget, place, signal);
  if (files === 0) throw new LoadError('FormatUnknown', `${place} is an archive without files`);
}

async function explained(place: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw sentenceOf(cause, place);
  }
}

function sentenceOf(cause: unknown, place: string): LoadError {
  if (cause instanceof LoadError) return cause;
  if (isFileError(cause)) return readableSentence(cause, place);
  return new LoadError(
    'FormatUnknown',
    `${place} is no readable tar or zip archive (${(cause as Error).message}): make it with tar -czf or zip -r`,
  );
}

async function writeEntries(
  entries: ReturnType<typeof extract>,
  directory: string,
  budget: ByteBudget,
  place: string,
): Promise<void> {
  let files = 0;
  for await (const entry of entries) {
    const path = placeInside(entry.header, place);
    if (entry.header.type === 'directory' || path === undefined) {
      entry.resume();
      continue;
    }
    if (++files > MAX_FILES) {
      throw new LoadError('FormatUnknown', `${place} holds more than ${MAX_FILES} files`);
    }
    budget.take(entry.header.size);
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    // wx: a second entry of the same name would replace what was already checked.
    await pipeline(entry as unknown as NodeJS.ReadableStream, createWriteStream(target, { flags: 'wx' }));
  }
  if (files === 0) throw new LoadError('FormatUnknown', `${place} is an archive without files`);
}

/** Undefined for the entry `./`, which stands for the directory itself. */
function placeInside({ type, name }: Header, place: string): string | undefined {
  if (type !== 'file' && type !== 'contiguous-file' && type !== 'directory') {
    throw new LoadError(
      'FormatUnknown',
      `${place} holds the ${type} ${JSON.stringify(name)}: pack only files and directories`,
    );
  }
  if (type === 'directory' && /^(\.\/?)*$/.test(name)) return undefined;
  const path = safeRelativePath(name);
  if (path === undefined) {
    throw new LoadError(
      'FormatUnknown',
      `${place} holds ${JSON.stringify(name.slice(0, 200))}, which leads out of the archive: pack relative names without ..`,
    );
  }
  return path;
}

/** The first bytes, which say what kind of archive it is, whatever its name. */
async function headOf(archive: string): Promise<Buffer> {
  const file = await open(archive);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const isGzip = (head: Buffer) => head[0] === 0x1f && head[1] === 0x8b;

/** A file's header, or the end of an archive without files. */
const isZip = (head: Buffer) => ['PK\x03\x04', 'PK\x05\x06'].includes(head.toString('latin1'));
