import { cpSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached, contentHash, exclusively, once, repository } from './cache.ts';
import { isInstalled, run } from './command.ts';
import { docker, dockerBuild, engineArchitecture, hasImage } from './docker.ts';
import { installDebianPackages } from './engine.ts';
import { type GoModuleName, goPrograms } from './go-programs.ts';
import { say, step } from './progress.ts';

/** What a city's container runs: only a control plane, or a whole node beside it. */
export type CityRole = 'control-plane' | 'node';

/** The image that a city starts from, and whether it is the one built here (which knows more tricks). */
export type CityImage = { reference: string; builtHere: boolean };

/** The stock image that is used where it can be pulled. */
const stockImage = 'rancher/k3s:v1.34.1-k3s1';
const stockPullSeconds = 300;

const debianRelease = 'bookworm';
const basePackages = [
  ...['ca-certificates', 'containernetworking-plugins', 'curl', 'iproute2', 'ipset', 'iptables', 'nftables'],
  ...['openssl', 'procps', 'runc', 'tini'],
];
const neededNetworkPlugins = ['host-local', 'loopback', 'portmap', 'ptp'];

/**
 * The image for a city. `AICITY_CITY_IMAGE` chooses: `local` builds it from Go modules and Debian packages, an
 * image reference uses that image (which must keep rancher/k3s's contract), and unset means the local image if
 * it is built, else the stock image if a registry gives it, else the local image.
 */
export async function cityImage(role: CityRole): Promise<CityImage> {
  const chosen = process.env['AICITY_CITY_IMAGE'];
  if (chosen && chosen !== 'local') return { reference: await present(chosen), builtHere: false };
  const reference = localReference(role, await engineArchitecture());
  if (await hasImage(reference)) return { reference, builtHere: true };
  if (!chosen && (await stockImageCanBeHad())) return { reference: stockImage, builtHere: false };
  await exclusively(`image ${reference}`, async () => {
    if (!(await hasImage(reference))) await buildLocalImage(role, reference);
  });
  return { reference, builtHere: true };
}

async function present(image: string): Promise<string> {
  if (!(await hasImage(image))) await step(`pulling ${image}`, () => docker(['pull', '--quiet', image]));
  return image;
}

async function stockImageCanBeHad(): Promise<boolean> {
  if (await hasImage(stockImage)) return true;
  const pull = () => docker(['pull', '--quiet', stockImage], { timeoutSeconds: stockPullSeconds });
  return step(`looking for ${stockImage}`, pull).then(
    () => true,
    () => {
      say(`${stockImage} cannot be pulled from here; the city image is built from Go modules instead`);
      return false;
    },
  );
}

const scripts = join(repository, 'test', 'region', 'city-node');
const modulesByRole: Record<CityRole, GoModuleName[]> = {
  'control-plane': ['kube'],
  node: ['kube', 'containerd', 'dns', 'netpol', 'netem', 'pause'],
};

function localReference(role: CityRole, architecture: string): string {
  const sources = modulesByRole[role].map((name) => join(repository, 'test', 'region', 'go', name));
  const hash = contentHash({
    texts: [architecture, debianRelease, ...basePackages, ...neededNetworkPlugins],
    paths: [...sources, scripts],
  });
  return `aicity-test/city-${role}:${hash}`;
}

async function buildLocalImage(role: CityRole, reference: string): Promise<void> {
  const architecture = await engineArchitecture();
  const base = await baseImage(architecture);
  const folders = new Map<GoModuleName, string>();
  for (const name of modulesByRole[role]) folders.set(name, await goPrograms(name, architecture));
  await step(`building the ${role} image`, async () => {
    const context = await mkdtemp(join(tmpdir(), 'aicity-image-'));
    try {
      for (const folder of ['kube', 'node', 'images']) mkdirSync(join(context, folder));
      cpSync(scripts, join(context, 'scripts'), { recursive: true });
      for (const [name, folder] of folders) {
        if (name === 'pause') await savePauseImage(folder, join(context, 'images', 'pause.tar'));
        else
          cpSync(folder, join(context, name === 'kube' ? 'kube' : 'node'), {
            recursive: true,
            verbatimSymlinks: true,
          });
      }
      const dockerfile = join(scripts, 'Dockerfile');
      await dockerBuild([
        '--quiet',
        '--tag',
        reference,
        '--build-arg',
        `BASE=${base}`,
        '--file',
        dockerfile,
        context,
      ]);
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  });
}

/** The image that holds a pod's namespaces open, as an archive that containerd imports. */
async function savePauseImage(programs: string, archive: string): Promise<void> {
  const layer = `${archive}.layer`;
  await run('tar', ['--create', '--file', layer, '--directory', programs, 'pause']);
  await docker(['import', '--change', 'ENTRYPOINT ["/pause"]', layer, 'localhost/pause:1']);
  await docker(['save', '--output', archive, 'localhost/pause:1']);
  await rm(layer);
}

/** Debian with the few programs that a node calls. */
async function baseImage(architecture: string): Promise<string> {
  const hash = contentHash({
    texts: [architecture, debianRelease, ...basePackages, ...neededNetworkPlugins],
  });
  const reference = `aicity-test/debian:${hash}`;
  if (await hasImage(reference)) return reference;
  const archive = await once(cached('base', `debian-${hash}.tar`), (path) => makeBase(architecture, path));
  await docker(['import', archive, reference]);
  return reference;
}

async function makeBase(architecture: string, path: string): Promise<void> {
  if (!(await isInstalled('mmdebstrap'))) {
    if (!(await isInstalled('apt-get')) || process.getuid?.() !== 0) {
      throw new Error(
        'The city image is built on Debian packages by `mmdebstrap`, which is not installed. ' +
          'Run: sudo apt-get install -y mmdebstrap. Elsewhere set AICITY_CITY_IMAGE to a rancher/k3s image.',
      );
    }
    await installDebianPackages(['mmdebstrap']);
  }
  const unneeded = ['man', 'locale', 'doc'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`);
  const keepPlugins = neededNetworkPlugins.map((name) => `! -name ${name}`).join(' ');
  await step(
    'making the base image from Debian packages',
    async () => {
      const mirror = await debianMirror();
      await run('mmdebstrap', [
        ...['--quiet', '--variant=minbase', '--format=tar', `--architectures=${architecture}`],
        `--include=${basePackages.join(',')}`,
        ...['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"'],
        ...['--dpkgopt=force-unsafe-io', ...unneeded],
        `--customize-hook=find "$1/usr/lib/cni" -type f ${keepPlugins} -delete`,
        '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
        debianRelease,
        path,
        ...(mirror ? [mirror] : []),
      ]);
    },
    'about 2 minutes the first time',
  );
}

/** The mirror that this machine itself uses, if it runs Debian. */
async function debianMirror(): Promise<string | undefined> {
  const targets = await run('apt-get', ['indextargets', '--format', '$(SITE) $(REPO_URI) $(ORIGIN)']).catch(
    () => '',
  );
  const debian = targets.split('\n').find((line) => line.endsWith(' Debian'));
  return debian?.split(' ')[1];
}
