/**
 * SavedModels as sessions. Unlike TensorFlow.js' own SavedModel support this knows every datatype, and does not occupy
 * JavaScript's thread.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import {
  type Handle,
  type Port,
  reasonOf,
  type SessionAddon,
  type SessionPurpose,
  sessionAddon,
  sessionConfig,
} from './addon.ts';
import { savedModelFile } from './detect.ts';
import { EngineError } from './engine.ts';
import { freezableModel, frozenSession } from './frozen/frozen-session.ts';
import { NotFreezable } from './frozen/not-freezable.ts';
import { hasVariables } from './graph/graph-view.ts';
import type { RunningModel } from './model.ts';
import type { RunWay } from './run-ways.ts';
import { sameSignatures } from './same-signatures.ts';
import { type ServingGraph, servingGraph, variablesFile } from './saved-model.ts';
import { SessionModel } from './session-model.ts';

export interface LoadedSavedModel {
  readonly model: RunningModel;
  /** What the user should know of it. */
  readonly remarks: readonly string[];
}

type Session = Handle<'session'>;
interface Opened {
  readonly session: Session;
  readonly remarks: string[];
}

/** @throws EngineError InvalidArgument when the directory holds no SavedModel that TensorFlow accepts. */
export async function loadSavedModel(
  directory: string,
  { variables, way }: { variables: 'Constants' | 'Kept'; way: RunWay | 'Best' },
): Promise<LoadedSavedModel> {
  const graph = await readGraph(directory);
  const same = sameSignatures(graph.signatures, graph.view);
  const native = sessionAddon();
  const load = (purpose: SessionPurpose) =>
    native.load(directory, graph.tags, sessionConfig(purpose)).catch(refuse);
  const isToFreeze = hasVariables(graph.view) && variables === 'Constants';
  const { session, remarks }: Opened = isToFreeze
    ? await frozen(native, graph, same, load)
    : { session: await load('Runs'), remarks: [] };
  try {
    const { signatures } = graph;
    return { model: new SessionModel(native, session, { signatures, refine: refined, same, way }), remarks };
  } catch (error) {
    await native.close(session);
    return refuse(error);
  }
}

async function readGraph(directory: string): Promise<ServingGraph> {
  const path = join(directory, savedModelFile);
  const file = await readFile(path).catch((error: Error) => {
    throw new EngineError('InvalidArgument', `${savedModelFile} cannot be read: ${error.message}`);
  });
  const graph = servingGraph(file);
  // Without the values of its variables TensorFlow itself loads a model all the same, and fails at the first request.
  if (hasVariables(graph.view) && !existsSync(join(directory, variablesFile))) {
    throw new EngineError('InvalidArgument', `${variablesFile} is missing, and the model has variables`);
  }
  return graph;
}

/** The model with constants in place of variables; as it is, and a remark, where that cannot be. */
async function frozen(
  native: SessionAddon,
  graph: ServingGraph,
  same: ReadonlyMap<string, string>,
  load: (purpose: SessionPurpose) => Promise<Session>,
): Promise<Opened> {
  try {
    const model = freezableModel(graph, same);
    const restored = await load('Restores');
    try {
      return { session: await frozenSession(native, restored, model), remarks: [] };
    } finally {
      await native.close(restored);
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const reason = error instanceof NotFreezable ? error.message : `it is not understood: ${reasonOf(error)}`;
    const remark = `the model keeps its variables, with which it may run slower: ${reason}`;
    return { session: await load('Runs'), remarks: [remark] };
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
