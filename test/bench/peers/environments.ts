/**
 * Python environments, one for each peer, made once and kept outside the tree. All see the one TensorFlow, of the version
 * that our server runs, through a path file: its 1.4 GB are installed once.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, contentHash, once } from '../../region/cache.ts';
import { run } from '../../region/command.ts';
import { step } from '../../region/progress.ts';

/**
 * The interpreter of a peer's environment, which has what `FOLDER/requirements.txt` pins.
 *
 * @throws CommandFailed with what pip said, when it cannot be had here
 */
export async function interpreterOf(peer: string): Promise<string> {
  const tensorflow = await environment('tensorflow');
  return join(await environment(peer, packagesOf(tensorflow)), 'bin', 'python');
}

/** @param sees packages of another environment, found after its own. */
async function environment(name: string, sees = ''): Promise<string> {
  const requirements = join(import.meta.dirname, name, 'requirements.txt');
  const hash = contentHash({ texts: [await run('python3', ['--version']), sees], paths: [requirements] });
  const make = async (directory: string) => {
    await run('python3', ['-m', 'venv', directory]);
    if (sees) writeFileSync(join(packagesOf(directory), 'tensorflow.pth'), `${sees}\n`);
    // It is renamed afterwards, which its interpreter bears; the programs beside the interpreter do not, and are not used.
    const python = join(directory, 'bin', 'python');
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-input', '-r', requirements]);
  };
  return await once(cached('peers', `${name}-${hash}`), (directory) =>
    step(`installing ${name} for the benchmark`, () => make(directory), 'some minutes the first time'),
  );
}

function packagesOf(environment: string): string {
  const library = join(environment, 'lib');
  const python = readdirSync(library).find((name) => name.startsWith('python'));
  if (!python) throw new Error(`${library} has no Python`);
  return join(library, python, 'site-packages');
}
