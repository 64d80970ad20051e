/** Which format a directory holds, from its file names and the content of `model.json`. Pure. */
import { EngineError, type ModelFormat } from './engine.ts';

/** Files that decide; read the second one before asking when it is there. */
export const savedModelFile = 'saved_model.pb';
export const tfjsFile = 'model.json';

/**
 * @param files names in the directory itself.
 * @param modelJson content of `model.json`, when there is one.
 * @throws EngineError InvalidArgument with a sentence when it is none of the formats.
 */
export function detectFormat(files: readonly string[], modelJson: string | undefined): ModelFormat {
  const hasSavedModel = files.includes(savedModelFile);
  if (hasSavedModel && modelJson !== undefined) {
    throw unknown(
      `both ${savedModelFile} and ${tfjsFile} are there: say which is meant with spec.model.format`,
    );
  }
  if (hasSavedModel) return 'SavedModel';
  if (modelJson !== undefined) return tfjsFormat(modelJson);
  const found = files.length === 0 ? 'it is empty' : `it has ${[...files].sort().slice(0, 8).join(', ')}`;
  throw unknown(`neither ${savedModelFile} nor ${tfjsFile} is in the directory; ${found}`);
}

function tfjsFormat(modelJson: string): ModelFormat {
  const model = parseModelJson(modelJson);
  // Written by every converter since 2019; older files are told apart by their topology.
  if (model['format'] === 'graph-model') return 'TFJSGraph';
  if (model['format'] === 'layers-model') return 'TFJSLayers';
  const topology = model['modelTopology'];
  if (isObject(topology)) {
    if (Array.isArray(topology['node'])) return 'TFJSGraph';
    if ('model_config' in topology || 'class_name' in topology) return 'TFJSLayers';
  }
  throw unknown(
    `${tfjsFile} is neither a TensorFlow.js graph model nor a layers model: its "format" is ${JSON.stringify(model['format']) ?? 'missing'}`,
  );
}

/** @throws EngineError InvalidArgument when the text is not a JSON object. */
function parseModelJson(modelJson: string): Record<string, unknown> {
  try {
    const model: unknown = JSON.parse(modelJson);
    if (isObject(model)) return model;
  } catch (error) {
    throw unknown(`${tfjsFile} is not JSON: ${(error as Error).message}`);
  }
  throw unknown(`${tfjsFile} is not a JSON object`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknown(sentence: string): EngineError {
  return new EngineError('InvalidArgument', sentence);
}
