/** From wheels to a directory with TensorFlow's libraries (`lib`), C headers (`include`) and CUDA (`nvidia`). */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  const library = join(directory, 'lib');
  for (const file of await readdir(library)) await run('strip', ['--strip-unneeded', join(library, file)]);
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
