/**
 * Models as `.tar.gz` (or plain `.tar`). The entries are written by us, not by the archive: only files and
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

/** @throws LoadError when the archive is damaged, or holds what a model archive must not hold. */
export async function extractArchive(
  archive: string,
  directory: string,
  budget: ByteBudget,
  place: string,
  signal: AbortSignal,
): Promise<void> {
  const entries = extract();
  const stages = [
    ...((await isGzip(archive)) ? [createGunzip()] : []),
    entries as unknown as NodeJS.WritableStream,
  ];
  const unpacked = pipeline([createReadStream(archive), ...stages], { signal });
  try {
    await Promise.all([unpacked, writeEntries(entries, directory, budget, place)]);
  } catch (cause) {
    entries.destroy();
    await unpacked.catch(() => {});
    if (cause instanceof LoadError) throw cause;
    if (isFileError(cause)) throw readableSentence(cause, place);
    throw new LoadError(
      'FormatUnknown',
      `${place} is no readable tar archive (${(cause as Error).message}): make it with tar -czf`,
    );
  }
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

async function isGzip(archive: string): Promise<boolean> {
  const file = await open(archive);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}
