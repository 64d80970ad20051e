/** From wheels to a directory with TensorFlow's libraries (`lib`), headers (`include`) and CUDA (`nvidia`). */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bindSymbols } from './bind-symbols.ts';
import type { Progress } from './cache.ts';
import { run } from './tools.ts';
import type { Wheel } from './wheels.ts';

const unpackScript = fileURLToPath(new URL('./unpack.py', import.meta.url));

/** Fetches the wheels with pip, from whichever index pip is set to, and unpacks them into `directory`. */
export async function fetchLibrary(
  wheels: readonly Wheel[],
  directory: string,
  progress: Progress,
): Promise<void> {
  const downloads = await mkdtemp(join(directory, '.wheels-'));
  try {
    for (const wheel of wheels) await unpack(await download(wheel, downloads, progress), directory, progress);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
  const folder = join(directory, 'lib');
  const libraries = (await readdir(folder)).map((file) => join(folder, file));
  for (const library of libraries) await run('strip', ['--strip-unneeded', library]);
  progress('binding its symbols');
  const system = await Promise.all(systemLibraries.map(pathOf));
  for (const library of libraries) {
    await bindSymbols(library, [...libraries.filter((other) => other !== library), ...system]);
  }
  await writeFile(join(directory, 'MODIFICATIONS.txt'), MODIFICATIONS);
}

const MODIFICATIONS = `The libraries in lib/ are those of the TensorFlow wheel, changed in two ways: symbols that only
debuggers read were removed, and references of a library to its own symbols were bound to their addresses.
`;

/** All that TensorFlow's libraries are linked with, apart from each other. */
const systemLibraries = ['libstdc++.so.6', 'libgcc_s.so.1', 'libm.so.6', 'libc.so.6'];

async function pathOf(library: string): Promise<string> {
  return (await run('g++', [`-print-file-name=${library}`])).trim();
}

async function download(wheel: Wheel, directory: string, progress: Progress): Promise<string> {
  progress(`fetching ${wheel.requirement} (${wheel.megabytes} MB)`);
  const into = await mkdtemp(join(directory, 'wheel-'));
  const requirements = join(into, 'requirements.txt');
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  await run(
    'python3',
    [
      ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-cache-dir'],
      ...['--no-deps', '--only-binary=:all:', '--require-hashes', '-r', requirements, '-d', into],
      ...['--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311', '--abi', 'none'],
      ...['--platform', wheel.platform],
    ],
    { doing: `fetching ${wheel.requirement}`, progress },
  );
  const file = (await readdir(into)).find((name) => name.endsWith('.whl'));
  if (!file) throw new Error(`pip fetched ${wheel.requirement} but left no wheel in ${into}`);
  return join(into, file);
}

async function unpack(wheel: string, directory: string, progress: Progress): Promise<void> {
  progress('unpacking');
  await run('python3', [unpackScript, wheel, directory], { doing: 'unpacking', progress });
  await rm(wheel);
}
