import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cached, contentHash, exclusively, once } from './cache.ts';
import { run } from './command.ts';
import { docker, hasImage } from './docker.ts';
import { step } from './progress.ts';

const publicNodeImage = 'gcr.io/distroless/nodejs24-debian12:nonroot';

/** Libraries that are loaded by name at run time: native TensorFlow needs more than Node itself. */
const librariesOfAddons = [
  'libstdc++.so.6',
  'libgcc_s.so.1',
  'libgomp.so.1',
  'librt.so.1',
  'libdl.so.2',
  'libpthread.so.0',
  'libutil.so.1',
];
const certificateBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

const accounts = {
  passwd: 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  group: 'root:x:0:\nnonroot:x:65532:\n',
  'nsswitch.conf': 'hosts: files dns\n',
};

/**
 * The base of the project's images: Node, the libraries that it and native TensorFlow load, certificate
 * authorities and a user without rights (65532); no shell, no package manager. The entry point is `node`.
 *
 * On Linux it is made from the Node that runs this and the machine's own libraries, so no registry is needed.
 * Elsewhere, or to choose another, `AICITY_NODE_IMAGE` names an image.
 */
export async function nodeImage(): Promise<string> {
  const chosen = process.env['AICITY_NODE_IMAGE'];
  if (chosen || process.platform !== 'linux') {
    const image = chosen ?? publicNodeImage;
    if (!(await hasImage(image))) await step(`pulling ${image}`, () => docker(['pull', '--quiet', image]));
    return image;
  }
  const files = await runtimeFiles();
  const recipe = [JSON.stringify(accounts), ...files.keys(), String(layoutVersion)];
  const hash = contentHash({ texts: recipe, paths: [...files.values()] });
  const reference = `aicity-test/nodejs:${hash}`;
  await exclusively(`image ${reference}`, async () => {
    if (await hasImage(reference)) return;
    await step('making the Node base image', async () => {
      const archive = await once(cached('base', `node-${hash}.tar`), (path) => writeArchive(path, files));
      const settings = [
        'ENTRYPOINT ["/usr/bin/node"]',
        'USER 65532:65532',
        'WORKDIR /app',
        'ENV NODE_ENV=production',
      ];
      await docker(['import', ...settings.flatMap((setting) => ['--change', setting]), archive, reference]);
    });
  });
  return reference;
}

/** Raised when `writeArchive` lays the same files out differently. */
const layoutVersion = 1;

/** Path in the image → file on this machine. */
async function runtimeFiles(): Promise<Map<string, string>> {
  const files = new Map([['/usr/bin/node', process.execPath]]);
  const shared = await run('ldd', [process.execPath]);
  for (const [path] of shared.matchAll(/\/\S+/g)) files.set(path, realpathSync(path));
  for (const library of librariesOfAddons) {
    const path = await installedLibrary(library);
    if (path) files.set(path, realpathSync(path));
  }
  const bundle = certificateBundles.find((path) => existsSync(path));
  if (!bundle)
    throw new Error(
      `No certificate authorities found on this machine at ${certificateBundles.join(' or ')}.`,
    );
  return files.set('/etc/ssl/certs/ca-certificates.crt', realpathSync(bundle));
}

/** Where the loader of this machine finds a shared library; undefined when it does not. */
export async function installedLibrary(name: string): Promise<string | undefined> {
  const known = await run('sh', ['-c', 'PATH=$PATH:/sbin:/usr/sbin ldconfig -p']);
  const line = known
    .split('\n')
    .find(
      (entry) => entry.trim().startsWith(`${name} `) && entry.includes('x86-64') === (process.arch === 'x64'),
    );
  return line?.split('=> ')[1];
}

async function writeArchive(archive: string, files: Map<string, string>): Promise<void> {
  const root = `${archive}.root`;
  try {
    for (const folder of ['app', 'dev', 'etc', 'home/nonroot', 'proc', 'run', 'sys', 'tmp']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    chmodSync(join(root, 'tmp'), 0o1777);
    for (const [name, content] of Object.entries(accounts)) writeFileSync(join(root, 'etc', name), content);
    for (const [path, source] of files) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(source, join(root, path));
      chmodSync(join(root, path), path.startsWith('/etc/') ? 0o644 : 0o755);
    }
    // Symbols for debuggers are a fifth of the binary; without `strip` the image is merely larger.
    await run('strip', ['--strip-unneeded', join(root, 'usr/bin/node')]).catch(() => {});
    const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    await run('tar', [...reproducible, '--create', '--file', archive, '--directory', root, '.']);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
