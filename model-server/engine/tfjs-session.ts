/** TensorFlow.js models as sessions: translated into a graph of TensorFlow's own, and run as SavedModels are. */
import type { TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import { type Port, reasonOf, sessionAddon, sessionConfig } from './addon.ts';
import { EngineError } from './engine.ts';
import { NotTranslatable } from './graph/not-translatable.ts';
import { translateTopology } from './graph/topology.ts';
import { translateLayers } from './layers/translate.ts';
import type { RunningModel } from './model.ts';
import type { RunWay } from './run-ways.ts';
import { SessionModel } from './session-model.ts';
import { readTfjsFiles } from './tfjs-files.ts';
import type { TfjsModelFiles } from './tfjs-messages.ts';

/**
 * @throws NotTranslatable when the model has to run operation by operation, with the reason.
 * @throws EngineError when its files are missing or cut off.
 */
export async function loadTfjsSession(
  { directory, format }: TfjsModelFiles,
  way: RunWay | 'Best',
): Promise<RunningModel> {
  const { document, weights } = await readTfjsFiles(directory);
  const { graph, signature } =
    format === 'TFJSGraph' ? translateTopology(document, weights) : translateLayers(document, weights);
  const native = sessionAddon();
  const session = await native.importGraph(graph.pieces, sessionConfig('Runs')).catch((error: unknown) => {
    throw new NotTranslatable(`TensorFlow does not take its graph: ${reasonOf(error)}`);
  });
  try {
    return new SessionModel(native, session, { signatures: [signature], refine: adopted, way });
  } catch (error) {
    await native.close(session);
    if (error instanceof EngineError || error instanceof NotTranslatable) throw error;
    throw new NotTranslatable(`TensorFlow cannot run its graph: ${reasonOf(error)}`);
  }
}

/** Names and sizes are the model's word, datatypes the graph's. */
function adopted(spec: TensorSpec, { dataType, shape }: Port): TensorSpec {
  const datatype = datatypeOfNumber(dataType);
  if (datatype === undefined) {
    throw new NotTranslatable(`"${spec.name}" has TensorFlow's data type ${dataType}`);
  }
  if (spec.shape === null || shape === null || spec.shape.length !== shape.length) {
    return { ...spec, datatype, shape: spec.shape ?? shape };
  }
  return {
    ...spec,
    datatype,
    shape: spec.shape.map((size, axis) => (size === -1 ? (shape[axis] ?? -1) : size)),
  };
}
