import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { safeRelativePath } from './safe-path.ts';

/** The part of a TensorFlow.js `model.json` that names its files. */
const Manifest = z.object({
  weightsManifest: z.array(z.object({ paths: z.array(z.string()).min(1) })).optional(),
});

/**
 * Weight files that a `model.json` names, relative to it; none when the model has no weights.
 * @throws LoadError FormatUnknown when it is no TensorFlow.js model or names files outside its directory.
 */
export async function tfjsShards(file: string, place: string): Promise<string[]> {
  const manifest = Manifest.safeParse(json(await readFile(file, 'utf8'), place));
  if (!manifest.success) {
    const [issue] = manifest.error.issues;
    throw new LoadError(
      'FormatUnknown',
      `${place} is no TensorFlow.js model: ${issue?.path.join('.') || 'the document'}: ${issue?.message}`,
    );
  }
  const paths = [...new Set((manifest.data.weightsManifest ?? []).flatMap(({ paths }) => paths))];
  if (paths.length > MAX_FILES) {
    throw new LoadError(
      'FormatUnknown',
      `${place} names ${paths.length} weight files: at most ${MAX_FILES} are read`,
    );
  }
  return paths.map((path) => {
    const safe = safeRelativePath(path);
    if (safe !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(path)) return safe;
    throw new LoadError(
      'FormatUnknown',
      `${place} names the weight file ${JSON.stringify(path.slice(0, 200))}: put all weight files beside or below model.json`,
    );
  });
}

function json(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const found = text.trimStart().startsWith('<') ? 'a web page' : 'no JSON';
    throw new LoadError(
      'FormatUnknown',
      `${place} is ${found}: expected the model.json of a TensorFlow.js model`,
    );
  }
}
