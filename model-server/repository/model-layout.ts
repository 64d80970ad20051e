/**
 * What a directory listing says: one model, TensorFlow Serving version directories, or neither
 * (https://www.tensorflow.org/tfx/serving/serving_config: the name of a version directory is an integer).
 */
import type { ModelFormat } from '../../crds/model-service.ts';
import { LoadError } from './load-error.ts';

/** The file that makes a directory a model. */
export const MODEL_FILES: Readonly<Record<ModelFormat, string>> = {
  SavedModel: 'saved_model.pb',
  TFJSGraph: 'model.json',
  TFJSLayers: 'model.json',
};

export const EXPECTED_FILES = 'expected saved_model.pb (SavedModel) or model.json (TensorFlow.js)';

export type Layout =
  | { kind: 'model' }
  | { kind: 'version'; version: number; directory: string }
  | { kind: 'error'; error: LoadError };

/** What is wanted of a directory: the part of a model source that matters here. */
export interface Wanted {
  format?: ModelFormat | undefined;
  version?: number | undefined;
}

/**
 * Where in a directory the wanted model is.
 * @param place how messages call the directory.
 */
export function layoutOf(names: readonly string[], wanted: Wanted, place: string): Layout {
  if (isModel(names)) {
    return wanted.version === undefined
      ? modelOf(names, wanted, place)
      : error(
          'VersionNotFound',
          `${place} is one model without version directories, and spec.model.version is ${wanted.version}: remove spec.model.version, or give the directory above it`,
        );
  }
  const versions = versionsAmong(names);
  const chosen =
    wanted.version === undefined
      ? versions.at(-1)
      : versions.find(({ version }) => version === wanted.version);
  if (chosen) return { kind: 'version', ...chosen };
  if (wanted.version !== undefined) {
    return error(
      'VersionNotFound',
      `${place} has no version directory ${wanted.version}, which spec.model.version asks for; it holds ${listed(names)}: ${versions.length > 0 ? `set spec.model.version to one of its versions, or remove it to have the highest, ${versions.at(-1)?.version}` : 'correct spec.model.uri or remove spec.model.version'}`,
    );
  }
  return names.length === 0
    ? error('SourceNotFound', `${place} is empty: ${EXPECTED_FILES} or version directories such as 3/`)
    : error(
        'FormatUnknown',
        `${place} holds ${listed(names)}: ${EXPECTED_FILES} or version directories such as 3/`,
      );
}

/** The same for the inside of a version directory, which has to be a model. */
export function modelOf(names: readonly string[], wanted: Wanted, place: string): Layout {
  if (!isModel(names)) {
    return error('FormatUnknown', `${place} holds ${listed(names)}: ${EXPECTED_FILES}`);
  }
  if (wanted.format && !names.includes(MODEL_FILES[wanted.format])) {
    return error(
      'FormatUnknown',
      `${place} holds ${listed(names)}, and spec.model.format is ${wanted.format}, which needs ${MODEL_FILES[wanted.format]}: remove spec.model.format to have it detected`,
    );
  }
  return { kind: 'model' };
}

export function isModel(names: readonly string[]): boolean {
  return names.includes(MODEL_FILES.SavedModel) || names.includes(MODEL_FILES.TFJSGraph);
}

/** Lowest version first; `directory` is the name as written, such as `007`. */
export function versionsAmong(names: readonly string[]): { version: number; directory: string }[] {
  return names
    .filter((name) => /^\d{1,15}$/.test(name))
    .map((directory) => ({ version: Number(directory), directory }))
    .sort((a, b) => a.version - b.version);
}

/** The numbers of the version directories among the names at a place. @throws LoadError when there are none. */
export function versionsIn(names: readonly string[], place: string): number[] {
  if (isModel(names)) {
    throw new LoadError(
      'VersionNotFound',
      `${place} is one model without version directories: give the directory above it, or ask for no versions`,
    );
  }
  const versions = versionsAmong(names).map(({ version }) => version);
  if (versions.length > 0) return versions;
  throw new LoadError(
    'VersionNotFound',
    `${place} holds ${listed(names)}: expected version directories such as 3/`,
  );
}

/** Names for a message: a few of them, since a directory may hold thousands. */
export function listed(names: readonly string[]): string {
  const shown = 8;
  if (names.length === 0) return 'nothing';
  const some = [...names]
    .sort()
    .slice(0, shown)
    .map((name) => JSON.stringify(name.slice(0, 60)));
  return names.length > shown ? `${some.join(', ')} and ${names.length - shown} more` : some.join(', ');
}

function error(reason: LoadError['reason'], sentence: string): Layout {
  return { kind: 'error', error: new LoadError(reason, sentence) };
}
