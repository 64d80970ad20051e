import { exclusively } from './cache.ts';
import { dockerBuild, imageLabel } from './docker.ts';
import { sizeLine } from './image-size.ts';
import { clock, say, step } from './progress.ts';

const hashLabel = 'io.aicity.test.content-hash';

/** How to build one of the project's images. */
export type ImageRecipe = {
  /** Name with tag: `aicity/operator:0.1.0`. */
  name: string;
  dockerfile: string;
  /** The folder whose files the Dockerfile copies. */
  context: string;
  buildArgs?: Record<string, string>;
  /** Changes whenever the image should be built again; see `contentHash`. */
  contentHash: string;
};

/**
 * Builds an image, unless the engine holds one of this name that was made from the same content. Prints its
 * size, and how long the build took.
 *
 * @returns the image's name
 */
export async function buildImage(recipe: ImageRecipe): Promise<string> {
  return await exclusively(`image ${recipe.name}`, async () => {
    if ((await imageLabel(recipe.name, hashLabel)) === recipe.contentHash) return recipe.name;
    const startedAt = Date.now();
    const buildArgs = Object.entries(recipe.buildArgs ?? {}).flatMap(([key, value]) => [
      '--build-arg',
      `${key}=${value}`,
    ]);
    await step(`building image ${recipe.name}`, () =>
      dockerBuild([
        ...['--quiet', '--tag', recipe.name, '--label', `${hashLabel}=${recipe.contentHash}`],
        ...['--file', recipe.dockerfile, ...buildArgs, recipe.context],
      ]),
    );
    say(`${await sizeLine(recipe.name)}; built in ${clock(Date.now() - startedAt)}`);
    return recipe.name;
  });
}
