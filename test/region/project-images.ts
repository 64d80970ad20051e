/**
 * The project's own images. `npm run images` builds them, and so does whatever needs them:
 *
 *   npm run images -- [--gpu] [--release] [--contexts DIRECTORY]
 *
 * --gpu       also the model server with CUDA (downloads 2.5 GB)
 * --release   also under the names that the chart uses unless told otherwise
 * --contexts  build nothing; write what each Dockerfile copies to DIRECTORY/<image>, for another builder
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildNative } from '../../model-server/native/build.ts';
import { type Bundle, bundleModelServer, bundleModelStore, bundleOperator } from './bundle.ts';
import { cacheDirectory, cached, contentHash, repository } from './cache.ts';
import { docker, hasImage } from './docker.ts';
import { ensureEngine } from './engine.ts';
import { type ImageContent, writeContext } from './image-context.ts';
import { buildImage } from './images.ts';
import { nodeImage } from './node-image.ts';
import { say } from './progress.ts';

/** Names with tags, such as `aicity/operator:dev-0123456789abcdef`; another content has another tag. */
export interface ProjectImages {
  readonly operator: string;
  readonly modelServer: string;
}

/** An image as it is to be built. */
interface Recipe extends ImageContent {
  readonly repository: string;
  readonly dockerfile: string;
}

/** Builds what the engine does not hold yet; a second call takes about a second. */
export async function projectImages(): Promise<ProjectImages> {
  return { operator: await operatorImage(), modelServer: await modelServerImage() };
}

/** The operator alone, for tests that run no models. */
export async function operatorImage(): Promise<string> {
  return await buildFrom(await operatorRecipe());
}

/** The model server; with `gpu` the one that holds NVIDIA's libraries, which are a download of 2.5 GB. */
export async function modelServerImage({ gpu = false } = {}): Promise<string> {
  return await buildFrom(await modelServerRecipe(gpu));
}

/** The example model store with the example models: `http://…/traffic/1/model.json`. */
export async function modelStoreImage(): Promise<string> {
  return await buildFrom(await modelStoreRecipe());
}

async function operatorRecipe(): Promise<Recipe> {
  return { repository: 'aicity/operator', dockerfile: 'operator/Dockerfile', bundle: await bundleOperator() };
}

async function modelServerRecipe(gpu: boolean): Promise<Recipe> {
  const target = { arch: process.arch, gpu };
  return {
    repository: gpu ? 'aicity/model-server-gpu' : 'aicity/model-server',
    dockerfile: gpu ? 'model-server/Dockerfile.gpu' : 'model-server/Dockerfile',
    bundle: await bundleModelServer(),
    native: await buildNative(target, cacheDirectory, (line) => say(`TensorFlow: ${line}`)),
  };
}

async function modelStoreRecipe(): Promise<Recipe> {
  return {
    repository: 'aicity/model-store',
    dockerfile: 'examples/model-store/Dockerfile',
    bundle: await bundleModelStore(),
    models: modelFiles('traffic', join(repository, 'examples', 'traffic', 'models')),
  };
}

function modelFiles(name: string, folder: string): Bundle {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.sort().map((file) => [join(name, relative(folder, file)), readFileSync(file)]));
}

async function buildFrom(recipe: Recipe): Promise<string> {
  await ensureEngine();
  const base = await nodeImage();
  const dockerfile = join(repository, recipe.dockerfile);
  const layout = join(repository, 'test', 'region', 'image-context.ts');
  const hash = contentHash({ texts: [base, ...identityOf(recipe)], paths: [dockerfile, layout] });
  const name = `${recipe.repository}:dev-${hash}`;
  if (await hasImage(name)) return name;
  const context = await mkdtemp(cached('contexts', 'image-'));
  try {
    await writeContext(recipe, context);
    await buildImage({ name, dockerfile, context, buildArgs: { BASE: base }, contentHash: hash });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  await removeOldBuilds(recipe.repository);
  return name;
}

const buildsKept = 5;

/** Every change of a source leaves an image behind; the newest few are enough to go back and forth. */
async function removeOldBuilds(name: string): Promise<void> {
  const format = '{{.Repository}}:{{.Tag}}';
  const newestFirst = await docker(['images', '--filter', `reference=${name}:dev-*`, '--format', format]);
  for (const image of newestFirst.split('\n').slice(buildsKept)) {
    // One that a container runs is in use and stays.
    await docker(['image', 'rm', image]).catch(() => {});
  }
}

/** What tells one recipe from another; a finished build of TensorFlow is known by its folder's name. */
function identityOf({ bundle, native, models }: Recipe): string[] {
  const files = [...bundle, ...(models ?? [])].flatMap(([name, content]) => [
    name,
    Buffer.from(content).toString('latin1'),
  ]);
  const builds = Object.values(native ?? {}).map((folder) => relative(cacheDirectory, folder));
  return [...files, ...builds];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      gpu: { type: 'boolean', default: false },
      release: { type: 'boolean', default: false },
      contexts: { type: 'string' },
    },
  });
  const recipes = [await operatorRecipe(), await modelServerRecipe(false), await modelStoreRecipe()];
  if (values.gpu) recipes.push(await modelServerRecipe(true));
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  for (const recipe of recipes) {
    if (values.contexts) {
      const folder = resolve(values.contexts, basename(recipe.repository));
      await rm(folder, { recursive: true, force: true });
      await writeContext(recipe, folder);
      console.log(folder);
      continue;
    }
    const name = await buildFrom(recipe);
    console.log(name);
    if (!values.release) continue;
    await docker(['tag', name, `${recipe.repository}:${version}`]);
    console.log(`${recipe.repository}:${version}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error: Error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
