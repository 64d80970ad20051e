import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of this repository. */
export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Where everything lives that is costly to make again: `AICITY_CACHE`, by default `~/.cache/aicity`. */
export const cacheDirectory = process.env['AICITY_CACHE'] ?? join(homedir(), '.cache', 'aicity');

/** A path inside the cache, whose folder exists when this returns. */
export function cached(...parts: string[]): string {
  const path = join(cacheDirectory, ...parts);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/**
 * Makes a file or folder once. `make` writes to the temporary path that it is given; only when it has
 * succeeded is the result renamed to `path`, so that an interrupted run leaves nothing half made behind.
 * Two processes that ask for the same path at once wait for each other.
 */
export async function once(path: string, make: (temporaryPath: string) => Promise<void>): Promise<string> {
  if (exists(path)) return path;
  return await exclusively(path, async () => {
    if (exists(path)) return path;
    mkdirSync(dirname(path), { recursive: true });
    const workplace = mkdtempSync(join(dirname(path), '.making-'));
    try {
      await make(join(workplace, 'result'));
      renameSync(join(workplace, 'result'), path);
    } finally {
      rmSync(workplace, { recursive: true, force: true });
    }
    return path;
  });
}

/**
 * Runs `work` while no other process of this machine runs work under the same name. The lock is a listening
 * socket, so the kernel releases it when its owner dies, however it dies.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  const lock = await acquire(name);
  try {
    return await work();
  } finally {
    await new Promise((done) => lock.close(done));
  }
}

async function acquire(name: string): Promise<Server> {
  const digest = createHash('sha256').update(name).digest();
  for (;;) {
    const lock = await new Promise<Server | undefined>((done, fail) => {
      const server = createServer((socket) => socket.destroy());
      server.on('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? done(undefined) : fail(error),
      );
      const listening = () => done(server);
      // Linux has socket names outside the file system; elsewhere a loopback port serves.
      if (process.platform === 'linux')
        server.listen(`\0aicity-${digest.toString('hex').slice(0, 32)}`, listening);
      else server.listen(20_000 + (digest.readUInt16BE() % 20_000), '127.0.0.1', listening);
    });
    if (lock) return lock;
    await new Promise((later) => setTimeout(later, 200));
  }
}

/**
 * A short hash over texts and over the contents of files and folders (names included), to tell whether what
 * was made from them is still current.
 */
export function contentHash(parts: { texts?: string[]; paths?: string[] }): string {
  const hash = createHash('sha256');
  for (const part of parts.texts ?? []) hash.update(`text ${part.length}\n${part}`);
  for (const path of parts.paths ?? []) {
    for (const file of filesUnder(path)) {
      hash
        .update(`file ${relative(dirname(path), file)} ${statSync(file).size}\n`)
        .update(readFileSync(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function filesUnder(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
