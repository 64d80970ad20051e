/**
 * Gets native TensorFlow ready for this checkout or for an image; a second run takes milliseconds.
 *
 *   node model-server/native/build.ts [--gpu] [--out DIRECTORY]
 *
 * Without --out the result is linked into node_modules/@tensorflow/tfjs-node, as its `lib` and `deps`. With --out
 * it is written to DIRECTORY as plain files, to be copied over that package in an image:
 * DIRECTORY/lib/napi-v8/*.node, DIRECTORY/deps/lib/*.so.2, and with --gpu DIRECTORY/deps/nvidia.
 *
 * Nothing is fetched but wheels, by pip, from the package index that pip is set to. Builds are kept in
 * $AICITY_CACHE (default ~/.cache/aicity), by the hash of what went into them.
 */
import { readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addonsKey, compileAddons, tfjsPackage } from './addons.ts';
import { cached, contentKey, type Progress } from './cache.ts';
import { fetchLibrary } from './library.ts';
import { requireTools } from './tools.ts';
import { type Target, tensorflowVersion, wheelsFor } from './wheels.ts';

/** A finished build: directories that must not be changed, since others use them too. */
export interface NativeBuild {
  /** Holds `napi-v8/tfjs_binding.node` and `napi-v8/aicity_session.node`. */
  readonly lib: string;
  /** Holds `lib/*.so.2`, and `nvidia/` for the GPU. */
  readonly deps: string;
}

/** What is done to the libraries is part of what is kept. */
const changesOfLibrary = ['library.ts', 'unpack.py', 'bind-symbols.ts', 'elf.ts'].map((file) =>
  readFileSync(new URL(file, import.meta.url)),
);

/** Fetches and compiles what the cache does not hold yet. */
export async function buildNative(target: Target, cache: string, progress: Progress): Promise<NativeBuild> {
  const wheels = wheelsFor(target);
  const libraryKey = contentKey(...wheels.map((wheel) => wheel.sha256), ...changesOfLibrary, 'stripped');
  const checkTools = once(requireTools);
  const deps = await cached(
    cache,
    `tensorflow-${tensorflowVersion}-${target.gpu ? 'gpu-' : ''}${libraryKey}`,
    async (directory) => {
      await checkTools();
      await fetchLibrary(wheels, directory, progress);
    },
    progress,
  );
  const addons = await cached(
    cache,
    `tensorflow-addons-${addonsKey(libraryKey)}`,
    async (directory) => {
      await checkTools();
      await compileAddons(deps, directory, progress);
      // The add-ons look for `../../deps/lib` from where they lie, in the cache too.
      await symlink(join('..', basename(deps)), join(directory, 'deps'));
    },
    progress,
  );
  return { lib: join(addons, 'lib'), deps };
}

/** Puts the build behind the checkout's npm package. Safe to repeat, and while others do the same. */
export async function linkIntoCheckout(build: NativeBuild): Promise<void> {
  for (const [name, target] of Object.entries(build)) {
    const link = join(tfjsPackage, name);
    const fresh = `${link}.${process.pid}`;
    await rm(fresh, { force: true });
    await symlink(target, fresh);
    // A link is replaced in one step; only a real directory, left by another installer, has to go first.
    await rename(fresh, link).catch(async () => {
      await rm(link, { recursive: true, force: true });
      await rename(fresh, link);
    });
  }
}

/** Writes the build as plain files, without the headers. */
async function copyTo(build: NativeBuild, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await cp(build.lib, join(directory, 'lib'), { recursive: true, dereference: true });
  await cp(build.deps, join(directory, 'deps'), {
    recursive: true,
    dereference: true,
    filter: (source) => relative(build.deps, source).split('/')[0] !== 'include',
  });
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => {
    result ??= action();
    return result;
  };
}

async function main(args: string[], cacheDirectory: string | undefined): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { gpu: { type: 'boolean', default: false }, out: { type: 'string' } },
  });
  const progress: Progress = (line) => process.stderr.write(`[tensorflow] ${line}\n`);
  const cache = resolve(cacheDirectory || join(homedir(), '.cache', 'aicity'));
  const build = await buildNative({ arch: process.arch, gpu: values.gpu }, cache, progress);
  if (values.out === undefined) {
    await linkIntoCheckout(build);
    progress(`${tensorflowVersion} is ready in node_modules/@tensorflow/tfjs-node`);
  } else {
    await copyTo(build, values.out);
    progress(`${tensorflowVersion} is ready in ${values.out}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2), process.env['AICITY_CACHE']).catch((error: Error) => {
    process.stderr.write(`[tensorflow] ${error.message}\n`);
    process.exitCode = 1;
  });
}
