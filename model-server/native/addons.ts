/** Compiles the Node add-ons: TensorFlow.js' own from its npm package, and those whose sources lie beside this file. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contentKey, type Progress } from './cache.ts';
import { run } from './tools.ts';

const require = createRequire(import.meta.url);
/** The installed npm package, whose `lib` and `deps` the add-ons and the library become. */
export const tfjsPackage = dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
const nodeHeaders = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
const sourceOf = (file: string) => fileURLToPath(new URL(`./${file}`, import.meta.url));

/** Where the package looks for its add-on; ours lies beside it. */
const addonDirectory = join('lib', 'napi-v8');

/** Node-API 8 keeps the add-ons loadable by every Node since 12.22. */
const flags = [
  ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'],
  // As TensorFlow itself was compiled, by whose C++ headers ours go.
  ...['-D_GLIBCXX_USE_CXX11_ABI=1', '-DEIGEN_MAX_ALIGN_BYTES=64'],
];
const tensorflow = ['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'];
const runPath = `-Wl,-rpath,$ORIGIN/${relative(addonDirectory, join('deps', 'lib'))}`;

/** Sources of `aicity_session`: all but those of the other add-ons. */
const isOfSession = (file: string) => /\.(cc|h)$/.test(file) && !['preload.cc', 'gpus.cc'].includes(file);

interface Addon {
  readonly name: string;
  readonly sources: readonly string[];
  readonly libraries: readonly string[];
}

function addons(): readonly Addon[] {
  const binding = join(tfjsPackage, 'binding');
  return [
    {
      ...{ name: 'tfjs_binding', libraries: tensorflow },
      sources: readdirSync(binding).map((file) => join(binding, file)),
    },
    {
      ...{ name: 'aicity_session', libraries: tensorflow },
      sources: readdirSync(sourceOf('.')).filter(isOfSession).map(sourceOf),
    },
    {
      ...{ name: 'aicity_gpus', libraries: ['-ldl'] },
      sources: ['gpus.cc', 'node-api.h', 'failure.h'].map(sourceOf),
    },
    { name: 'aicity_preload', sources: [sourceOf('preload.cc')], libraries: ['-ldl', '-pthread'] },
  ];
}

/** Changes with every byte that goes into the add-ons, the library's own key included. */
export function addonsKey(libraryKey: string): string {
  const sources = addons().flatMap((addon) => addon.sources.map((source) => readFileSync(source)));
  return contentKey(
    libraryKey,
    nodeHeadersVersion(),
    [...flags, ...tensorflow, runPath].join(' '),
    ...sources,
  );
}

function nodeHeadersVersion(): string {
  return (require('node-api-headers/package.json') as { version: string }).version;
}

/** Compiles them into `directory/lib/napi-v8`, against a directory made by `fetchLibrary`. */
export async function compileAddons(library: string, directory: string, progress: Progress): Promise<void> {
  const out = join(directory, addonDirectory);
  await mkdir(out, { recursive: true });
  for (const { name, sources, libraries } of addons()) {
    progress(`compiling ${name}`);
    await run('g++', [
      ...[
        ...flags,
        `-DNODE_GYP_MODULE_NAME=${name}`,
        '-I',
        nodeHeaders,
        '-isystem',
        join(library, 'include'),
      ],
      ...sources.filter((source) => source.endsWith('.cc')),
      ...['-o', join(out, `${name}.node`), '-L', join(library, 'lib'), ...libraries, runPath],
    ]);
  }
}
