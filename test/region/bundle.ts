/**
 * Bundles the programs for their images: each becomes one file that needs Node alone, so that an image holds what
 * runs and nothing else of node_modules.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { repository } from './cache.ts';
import { licenceTexts } from './licences.ts';

/** File name → content, in the order of the names: equal sources make equal bundles. */
export type Bundle = Map<string, Uint8Array>;

/** `/app/operator.mjs`. */
export async function bundleOperator(): Promise<Bundle> {
  return await bundle('operator/main.ts', 'operator.mjs');
}

/** `/app/main.mjs`, and one more file for each worker thread that the server starts. */
export async function bundleModelServer(): Promise<Bundle> {
  return await bundle('model-server/main.ts', 'main.mjs');
}

/** `/app/main.mjs` of the example model store. */
export async function bundleModelStore(): Promise<Bundle> {
  return await bundle('examples/model-store/main.ts', 'main.mjs');
}

async function bundle(entry: string, name: string): Promise<Bundle> {
  const files: Bundle = new Map();
  const packages = new Set<string>();
  const programs = new Map([[name, join(repository, entry)]]);
  // Bundling a program can reveal another: the file of a worker thread.
  for (const [file, source] of programs) {
    const result = await build({
      entryPoints: [source],
      outfile: file,
      absWorkingDir: repository,
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      // Less to read is a sooner start. Names stay, and lines are short enough for stack traces to say where.
      minifyWhitespace: true,
      minifySyntax: true,
      lineLimit: 120,
      legalComments: 'none',
      logLevel: 'error',
      banner: { js: nodeNames },
      plugins: [ownSources(programs), addonFinder, builtIns],
    });
    files.set(file, result.outputFiles[0]!.contents);
    for (const folder of packagesOf(result.metafile)) packages.add(folder);
  }
  files.set('LICENSES.txt', Buffer.from(licenceTexts([...packages].sort())));
  // Files are read side by side, and whichever is read first reveals its worker threads first.
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What CommonJS packages take for granted and ES modules lack. */
const nodeNames = [
  "import { createRequire as createRequireForPackages } from 'node:module';",
  'const require = createRequireForPackages(import.meta.url);',
  'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
].join('\n');

/**
 * Node's own modules are required. To import `node:http` takes ten times as long, since every property of it is read, and
 * one of them loads a client for the web.
 */
const builtIns: Plugin = {
  name: 'built-ins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'built-in' },
    );
    build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

const workerUrl = /new URL\(\s*'(\.{1,2}\/[^']+)\.ts',\s*import\.meta\.url,?\s*\)/g;
const requiredPackage = /createRequire\(import\.meta\.url\)(?=\('[^']+'\))/g;

/**
 * Two things in our sources mean what they say only beside the sources: the file of a worker thread, since in the
 * image all programs lie in one folder, and a CommonJS package that is required, since there are no packages.
 */
function ownSources(programs: Map<string, string>): Plugin {
  const program = (folder: string, target: string) => {
    const file = `${basename(target)}.mjs`;
    const source = resolve(folder, `${target}.ts`);
    if ((programs.get(file) ?? source) !== source) {
      throw new Error(`two programs of one image are called ${file}; rename ${relative(repository, source)}`);
    }
    programs.set(file, source);
    return `new URL('./${file}', import.meta.url)`;
  };
  return {
    name: 'own-sources',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path.includes('node_modules')) return undefined;
        const contents = readFileSync(path, 'utf8')
          .replace(workerUrl, (_, target: string) => program(dirname(path), target))
          .replace(requiredPackage, 'require');
        return { contents, loader: 'ts' };
      });
    },
  };
}

/**
 * tfjs-node looks for its add-on with node-pre-gyp, which is mostly an installer. All that is called at run time is
 * `find`, and where the add-on lies is known.
 */
const addonFinder: Plugin = {
  name: 'addon-finder',
  setup(build) {
    build.onResolve({ filter: /^@mapbox\/node-pre-gyp$/ }, ({ path }) => ({
      path,
      namespace: 'addon-finder',
    }));
    build.onLoad({ filter: /./, namespace: 'addon-finder' }, () => ({
      resolveDir: repository,
      contents: `
        const { dirname, join } = require('node:path');
        const folder = () => dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
        exports.find = () => join(folder(), 'lib', 'napi-v8', 'tfjs_binding.node');`,
    }));
  },
};

/** Folders of the npm packages of which code went into a bundle. */
function packagesOf(metafile: Metafile): string[] {
  const used = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  return used.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
}
