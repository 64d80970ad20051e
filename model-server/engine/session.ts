/**
 * SavedModels as sessions. Unlike TensorFlow.js' own SavedModel support this knows every datatype, and does not occupy
 * JavaScript's thread.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import { type Port, reasonOf, sessionAddon, sessionConfig } from './addon.ts';
import { savedModelFile } from './detect.ts';
import { EngineError } from './engine.ts';
import type { RunningModel } from './model.ts';
import { hasVariables, servingGraph, variablesFile } from './saved-model.ts';
import { SessionModel } from './session-model.ts';

/** @throws EngineError InvalidArgument when the directory holds no SavedModel that TensorFlow accepts. */
export async function loadSavedModel(directory: string): Promise<RunningModel> {
  const path = join(directory, savedModelFile);
  const file = await readFile(path).catch((error: Error) => {
    throw new EngineError('InvalidArgument', `${savedModelFile} cannot be read: ${error.message}`);
  });
  const graph = servingGraph(file);
  if (!existsSync(join(directory, variablesFile)) && hasVariables(graph)) {
    throw new EngineError('InvalidArgument', `${variablesFile} is missing, and the model has variables`);
  }
  const native = sessionAddon();
  const config = sessionConfig(availableParallelism());
  const session = await native.load(directory, graph.tags, config).catch(refuse);
  try {
    return new SessionModel(native, session, graph.signatures, refined);
  } catch (error) {
    await native.close(session);
    return refuse(error);
  }
}

function refuse(error: unknown): never {
  if (error instanceof EngineError) throw error;
  throw new EngineError('InvalidArgument', `TensorFlow cannot load the SavedModel: ${reasonOf(error)}`);
}

/** The signature's word where it has one; the graph's where the signature leaves rank or size open. */
function refined(spec: TensorSpec, port: Port): TensorSpec {
  const datatype = datatypeOfNumber(port.dataType);
  if (datatype !== spec.datatype) {
    throw new EngineError(
      'InvalidArgument',
      `"${spec.name}" is ${spec.datatype} in its signature and TensorFlow's data type ${port.dataType} in the graph`,
    );
  }
  if (spec.shape === null || port.shape === null) return { ...spec, shape: spec.shape ?? port.shape };
  if (spec.shape.length !== port.shape.length) return { ...spec, shape: port.shape };
  const graph = port.shape;
  return { ...spec, shape: spec.shape.map((size, axis) => (size === -1 ? (graph[axis] ?? -1) : size)) };
}
