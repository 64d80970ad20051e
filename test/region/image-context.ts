/** Lays out the files that a Dockerfile of the project copies into its image. */
import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tfjsPackage } from '../../model-server/native/addons.ts';
import type { NativeBuild } from '../../model-server/native/build.ts';
import type { Bundle } from './bundle.ts';
import { installedLibrary } from './node-image.ts';

export interface ImageContent {
  /** Becomes `app/`. */
  readonly bundle: Bundle;
  /** Becomes `tensorflow/`: what the npm package tfjs-node is at run time; and `nvidia/` for the GPU. */
  readonly native?: NativeBuild;
  /** Becomes `models/`: path below it → content. */
  readonly models?: Bundle;
}

/** Writes everything below `folder`, readable for every user whatever this process's umask is. */
export async function writeContext({ bundle, native, models }: ImageContent, folder: string): Promise<void> {
  await makeFolder(folder);
  await makeFolder(join(folder, 'app'));
  for (const [name, content] of bundle) await writeReadable(join(folder, 'app', name), content);
  if (native) {
    await writePackage(native, join(folder, 'tensorflow'));
    const nvidia = join(native.deps, 'nvidia');
    if (existsSync(nvidia)) await writeNvidia(nvidia, join(folder, 'nvidia'));
  }
  for (const [path, content] of models ?? []) {
    const file = join(folder, 'models', path);
    await makeFolder(dirname(file));
    await writeReadable(file, content);
  }
}

/** The add-ons are found through the package that they belong to, so its name stays. */
async function writePackage(native: NativeBuild, folder: string): Promise<void> {
  const { name, version, license } = JSON.parse(readFileSync(join(tfjsPackage, 'package.json'), 'utf8'));
  await makeFolder(folder);
  await writeReadable(join(folder, 'package.json'), JSON.stringify({ name, version, license }));
  await linkTree(native.lib, join(folder, 'lib'));
  await linkTree(native.deps, join(folder, 'deps'), new Set(['include', 'nvidia']));
}

/** cuDNN needs zlib, which base images without a distribution lack. */
async function writeNvidia(libraries: string, folder: string): Promise<void> {
  await linkTree(libraries, folder);
  const zlib = await installedLibrary('libz.so.1');
  if (!zlib) throw new Error('libz.so.1 is not on this machine; on Debian: apt-get install zlib1g');
  await makeFolder(join(folder, 'zlib'));
  await makeFolder(join(folder, 'zlib', 'lib'));
  await copyFile(zlib, join(folder, 'zlib', 'lib', 'libz.so.1'));
}

/** The same files under another path, without copying half a gigabyte where the file system allows it. */
async function linkTree(from: string, to: string, except = new Set<string>()): Promise<void> {
  await makeFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (except.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await link(source, target).catch(() => copyFile(source, target));
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

async function writeReadable(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content);
  await chmod(path, 0o644);
}
