/** A folder of Python packages for the clients, made once by pip and kept outside the checkout. */
import { mkdirSync, readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wheelsFor } from '../../model-server/native/wheels.ts';
import { cached, contentHash, once } from '../region/cache.ts';
import { run } from '../region/command.ts';
import { step } from '../region/progress.ts';

const here = dirname(fileURLToPath(import.meta.url));
const requirements = join(here, 'requirements.txt');
const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', '--no-input'];

/**
 * `PYTHONPATH` for the clients; python3 and pip are those of the machine.
 *
 * The types of `tensorflow-serving-api` import TensorFlow's, which only exist within its wheel of a quarter of a
 * gigabyte: they are taken out of it, and the rest is thrown away.
 */
export async function clientPackages(): Promise<string> {
  const version = await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
  const [wheel] = wheelsFor({ arch: process.arch, gpu: false });
  const requirement = `${wheel?.requirement} --hash=sha256:${wheel?.sha256}`;
  const key = contentHash({ texts: [version, requirement], paths: [requirements] });
  const make = async (path: string) => {
    mkdirSync(path, { recursive: true });
    await step(
      'installing Python clients',
      () =>
        run('python3', [
          ...pip,
          'install',
          '--no-deps',
          '--no-compile',
          '--target',
          path,
          '-r',
          requirements,
        ]),
      'about a minute the first time',
    );
    await step(
      'fetching the types of TensorFlow',
      () => takeTypes(path, requirement, wheel?.platform ?? ''),
      '252 MB',
    );
  };
  return await once(cached(`python-clients-${key}`), make);
}

async function takeTypes(path: string, requirement: string, platform: string): Promise<void> {
  const downloads = join(path, '.download');
  mkdirSync(downloads);
  const file = join(downloads, 'requirements.txt');
  await writeFile(file, `${requirement}\n`);
  const target = ['--platform', platform, '--implementation', 'cp', '--python-version', '3.11'];
  const only = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--abi', 'cp311', '--abi', 'none'];
  await run('python3', [...pip, 'download', ...target, ...only, '-r', file, '-d', downloads]);
  const wheel = readdirSync(downloads).find((name) => name.endsWith('.whl')) ?? '';
  await run('python3', ['-c', TAKE_TYPES, join(downloads, wheel), path]);
  await rm(downloads, { recursive: true });
}

const TAKE_TYPES = `
import sys, zipfile
wheel, path = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.endswith("_pb2.py"):
            archive.extract(name, path)
open(path + "/tensorflow/__init__.py", "w").close()
`;
