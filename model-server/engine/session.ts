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
import { type Handle, type Port, reasonOf, type SessionAddon, sessionAddon, sessionConfig } from './addon.ts';
import { savedModelFile } from './detect.ts';
import { EngineError } from './engine.ts';
import { frozenSession } from './frozen/frozen-session.ts';
import { NotFreezable } from './frozen/not-freezable.ts';
import type { RunningModel } from './model.ts';
import { hasVariables, type MetaGraph, servingGraph, variablesFile } from './saved-model.ts';
import { SessionModel } from './session-model.ts';

export interface LoadedSavedModel {
  readonly model: RunningModel;
  /** What the user should know of it. */
  readonly remarks: readonly string[];
}

/** @throws EngineError InvalidArgument when the directory holds no SavedModel that TensorFlow accepts. */
export async function loadSavedModel(
  directory: string,
  variables: 'Constants' | 'Kept',
): Promise<LoadedSavedModel> {
  const path = join(directory, savedModelFile);
  const file = await readFile(path).catch((error: Error) => {
    throw new EngineError('InvalidArgument', `${savedModelFile} cannot be read: ${error.message}`);
  });
  const graph = servingGraph(file);
  const isVariable = hasVariables(graph);
  const isToFreeze = isVariable && variables === 'Constants';
  if (isVariable && !existsSync(join(directory, variablesFile))) {
    throw new EngineError('InvalidArgument', `${variablesFile} is missing, and the model has variables`);
  }
  const native = sessionAddon();
  const config = sessionConfig(availableParallelism(), isToFreeze ? 'Growing' : 'Complete');
  const session = await native.load(directory, graph.tags, config).catch(refuse);
  const asItIs = { session, remarks: [] };
  const { session: best, remarks } = isToFreeze ? await frozen(native, session, graph) : asItIs;
  try {
    return { model: new SessionModel(native, best, graph.signatures, refined), remarks };
  } catch (error) {
    await native.close(best);
    return refuse(error);
  }
}

/** The same model with constants in place of variables, where that is possible. */
async function frozen(
  native: SessionAddon,
  session: Handle<'session'>,
  graph: MetaGraph,
): Promise<{ session: Handle<'session'>; remarks: string[] }> {
  try {
    const config = sessionConfig(availableParallelism(), 'Complete');
    const constant = await frozenSession(native, session, graph, config);
    await native.close(session);
    return { session: constant, remarks: [] };
  } catch (error) {
    // Whatever else is wrong with it, the model can be served as it is.
    const reason = error instanceof NotFreezable ? error.message : `it is not understood: ${reasonOf(error)}`;
    return { session, remarks: [`the model keeps its variables, with which it may run slower: ${reason}`] };
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
