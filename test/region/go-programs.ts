import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, contentHash, once, repository } from './cache.ts';
import { isInstalled, run } from './command.ts';
import { step } from './progress.ts';

type GoModule = {
  /** Program name → Go package; `.` is the module's own main. */
  programs: Record<string, string>;
  /** What a person should expect of a first build on two cores. */
  firstBuild: string;
};

const modules = {
  kube: { programs: { kube: '.' }, firstBuild: 'about 10 minutes the first time' },
  containerd: {
    programs: {
      containerd: 'github.com/containerd/containerd/v2/cmd/containerd',
      'containerd-shim-runc-v2': 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2',
      ctr: 'github.com/containerd/containerd/v2/cmd/ctr',
    },
    firstBuild: 'about a minute the first time',
  },
  dns: { programs: { coredns: '.' }, firstBuild: 'about 3 minutes the first time' },
  lua: { programs: { lua: '.' }, firstBuild: 'seconds' },
  netpol: { programs: { netpol: '.' }, firstBuild: 'about 3 minutes the first time' },
  netem: { programs: { netem: '.' }, firstBuild: 'seconds' },
  'object-store': {
    programs: { versitygw: 'github.com/versity/versitygw/cmd/versitygw' },
    firstBuild: 'about 3 minutes the first time',
  },
  pause: { programs: { pause: '.' }, firstBuild: 'seconds' },
  registry: {
    programs: { registry: 'github.com/distribution/distribution/v3/cmd/registry' },
    firstBuild: 'about 3 minutes the first time',
  },
  traefik: {
    programs: { traefik: 'github.com/traefik/traefik/v3/cmd/traefik' },
    firstBuild: 'about 6 minutes the first time',
  },
  'runc-within-limits': { programs: { 'runc-within-limits': '.' }, firstBuild: 'seconds' },
} satisfies Record<string, GoModule>;

/** The name of a folder under `test/region/go`. */
export type GoModuleName = keyof typeof modules;

/**
 * Builds a Go module's programs for Linux, or finds them in the cache, and returns the folder that holds
 * them. The cache key is the module's own content: its dependency list with checksums and its sources.
 *
 * @param architecture Go's name of the processor, `amd64` or `arm64`
 */
export async function goPrograms(name: GoModuleName, architecture = hostArchitecture()): Promise<string> {
  const source = join(repository, 'test', 'region', 'go', name);
  const module: GoModule = modules[name];
  return await once(programFolder(name, architecture), async (folder) => {
    await requireGo();
    mkdirSync(folder);
    await step(
      `building ${name} from Go modules`,
      async () => {
        for (const [program, goPackage] of Object.entries(module.programs)) {
          const flags = ['-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(name)];
          await run('go', ['build', ...flags, '-o', join(folder, program), goPackage], {
            directory: source,
            environment: { CGO_ENABLED: '0', GOOS: 'linux', GOARCH: architecture, GOFLAGS: '-mod=readonly' },
          });
        }
        if (name === 'kube') {
          for (const tool of hostTools) symlinkSync('kube', join(folder, tool));
          await writeFakeNodeStages(source, folder);
        }
      },
      module.firstBuild,
    );
  });
}

function programFolder(name: GoModuleName, architecture: string): string {
  const source = join(repository, 'test', 'region', 'go', name);
  const recipe = [architecture, JSON.stringify(modules[name].programs), linkerFlags(name)];
  return cached('bin', `${name}-${contentHash({ texts: recipe, paths: [source] })}`);
}

const hostTools = ['kubectl', 'helm'] as const;

/**
 * How to call kubectl or helm on this machine: the ones built here where there are any, else the installed
 * ones, else they are built.
 */
export async function hostTool(name: (typeof hostTools)[number]): Promise<string> {
  if (process.platform === 'linux') {
    const builtHere = existsSync(programFolder('kube', hostArchitecture()));
    if (builtHere || !(await isInstalled(name))) return join(await goPrograms('kube'), name);
  }
  if (await isInstalled(name)) return name;
  throw new Error(`\`${name}\` is needed to drive the test cluster and is not installed on this machine.`);
}

/** Go's name of this machine's processor. */
export function hostArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** Kubernetes reports a made-up version to its clients unless the linker writes the true one. */
function linkerFlags(name: GoModuleName): string {
  if (name !== 'kube') return '-s -w';
  const goMod = readFileSync(join(repository, 'test', 'region', 'go', name, 'go.mod'), 'utf8');
  const version = /k8s\.io\/kubernetes (v\d+\.(\d+)\.\d+)/.exec(goMod);
  if (!version)
    throw new Error('test/region/go/kube/go.mod does not require k8s.io/kubernetes at a release version');
  const values = {
    gitVersion: version[1]!,
    gitMajor: '1',
    gitMinor: version[2]!,
    gitTreeState: 'archive',
    gitCommit: 'unknown',
    buildDate: '2026-01-01T00:00:00Z',
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const settings = packages.flatMap((path) =>
    Object.entries(values).map(([field, value]) => `-X ${path}.${field}=${value}`),
  );
  return ['-s', '-w', ...settings].join(' ');
}

/** How fake nodes and their pods behave comes with kwok's own module: nodes turn Ready, pods turn Running. */
async function writeFakeNodeStages(source: string, folder: string): Promise<void> {
  const kwok = await run('go', ['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok'], { directory: source });
  const kubectl = join(folder, 'kubectl');
  const stages = await run(kubectl, ['kustomize', join(kwok, 'kustomize', 'stage', 'fast')]);
  const usage = ['resource/metrics-resource.yaml', 'usage/usage-from-annotation.yaml'].map((file) =>
    readFileSync(join(kwok, 'kustomize', 'metrics', file), 'utf8'),
  );
  writeFileSync(join(folder, 'kwok.yaml'), [stages, ...usage].join('\n---\n'));
}

async function requireGo(): Promise<void> {
  if (await isInstalled('go')) return;
  throw new Error(
    'Go is needed to build the test cluster, and there is no `go` on the path. Install Go 1.26 or newer ' +
      '(https://go.dev/dl/), or set AICITY_CITY_IMAGE to a rancher/k3s image that this machine can pull.',
  );
}
