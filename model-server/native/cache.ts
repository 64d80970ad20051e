/**
 * A directory of finished builds, each named by the hash of all that went into it. A build appears whole or not
 * at all, whichever process dies when; of several that want the same one, one builds and the others wait.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where progress goes: one line, without a newline. */
export type Progress = (line: string) => void;

/** Short name of a content: the first 16 hexadecimal digits of its SHA-256. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  // Lengths keep ("ab","c") and ("a","bc") apart.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Gives the directory `cache/name`, building it first when it is not there.
 *
 * @param build fills the empty directory that it is given.
 */
export async function cached(
  cache: string,
  name: string,
  build: (directory: string) => Promise<void>,
  progress: Progress,
): Promise<string> {
  const finished = join(cache, name);
  if (existsSync(finished)) return finished;
  await mkdir(cache, { recursive: true });
  const release = await lock(`${finished}.lock`, progress);
  try {
    if (existsSync(finished)) return finished;
    await removeLeftovers(cache, name);
    const unfinished = join(cache, `${name}.${randomUUID()}${unfinishedSuffix}`);
    try {
      await mkdir(unfinished);
      await build(unfinished);
      await rename(unfinished, finished).catch((error: unknown) => {
        // The same content by another process, which took this one for dead.
        if (!existsSync(finished)) throw error;
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    return finished;
  } finally {
    await release();
  }
}

const unfinishedSuffix = '.unfinished';

/** Half a build of a process that was killed; whoever holds the lock may remove it. */
async function removeLeftovers(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (entry.startsWith(`${name}.`) && entry.endsWith(unfinishedSuffix)) {
      await rm(join(cache, entry), { recursive: true, force: true });
    }
  }
}

const heartbeatMilliseconds = 2_000;
/** A lock whose holder has not touched it for so long belongs to a dead process. */
const staleMilliseconds = 30_000;

async function lock(path: string, progress: Progress): Promise<() => Promise<void>> {
  const token = randomUUID();
  for (let announced = false; !(await tryLock(path, token)); ) {
    if (!announced) progress(`waiting for another process that builds the same (lock ${path})`);
    announced = true;
    await sleep(500);
    const touched = await stat(path).catch(() => undefined);
    // A race between two that find it stale costs at worst a second build of the same content.
    if (touched && Date.now() - touched.mtimeMs > staleMilliseconds) await unlink(path).catch(() => {});
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, heartbeatMilliseconds);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (holder === token) await unlink(path).catch(() => {});
  };
}

async function tryLock(path: string, token: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(token);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
