/**
 * What a `saved_model.pb` offers: tag sets and signatures. Field numbers are those of TensorFlow's
 * `saved_model.proto` and `meta_graph.proto`. Pure.
 */
import type { Signature, TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import { EngineError } from './engine.ts';
import { type GraphView, viewGraph } from './graph/graph-view.ts';
import { type Field, fieldsOf, mapEntry, signedOf, textOf } from './protobuf.ts';
import { readShape } from './tensor-shape.ts';

export interface ServingGraph {
  readonly tags: readonly string[];
  /** Callable signatures, by name. */
  readonly signatures: readonly Signature[];
  readonly view: GraphView;
  /** Whether files belong to it, such as vocabularies. */
  readonly hasAssets: boolean;
}

interface MetaGraph extends Omit<ServingGraph, 'view'> {
  /** Why signatures of this graph were left out, one sentence each. */
  readonly leftOut: readonly string[];
  /** Serialized `tensorflow.GraphDef`. */
  readonly graphDef: Uint8Array;
}

/** Where a SavedModel keeps the values of its variables. */
export const variablesFile = 'variables/variables.index';

/** Signatures that TensorFlow writes for itself. */
const internalPrefix = '__saved_model_';

/**
 * The graph to serve: tagged `serve`, preferably with nothing else.
 * @throws EngineError InvalidArgument when the file is damaged, or has no such graph or no usable signature.
 */
export function servingGraph(file: Uint8Array): ServingGraph {
  const graphs = unlessDamaged(() => readMetaGraphs(file)).sort((a, b) => a.tags.length - b.tags.length);
  const graph = graphs.find(({ tags }) => tags.includes('serve'));
  if (!graph) {
    const found = graphs.map(({ tags }) => `[${tags.join(', ')}]`).join(' ') || 'none';
    throw new EngineError(
      'InvalidArgument',
      `saved_model.pb has no graph tagged "serve" (tags found: ${found}); export it with tf.saved_model.save`,
    );
  }
  if (graph.signatures.length === 0) {
    const why = graph.leftOut.length > 0 ? `: ${graph.leftOut.join('; ')}` : '';
    throw new EngineError(
      'InvalidArgument',
      `saved_model.pb has no signature that can be served${why}; export it with signatures=…`,
    );
  }
  const { tags, signatures, graphDef, hasAssets } = graph;
  return { tags, signatures, view: unlessDamaged(() => viewGraph(graphDef)), hasAssets };
}

function unlessDamaged<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new EngineError('InvalidArgument', `saved_model.pb is damaged: ${(error as Error).message}`);
  }
}

function readMetaGraphs(file: Uint8Array): MetaGraph[] {
  return [...fieldsOf(file)].filter((field) => field.number === 2).map((field) => readMetaGraph(field.bytes));
}

function readMetaGraph(message: Uint8Array): MetaGraph {
  let graphDef: Uint8Array = new Uint8Array(0);
  let hasAssets = false;
  const tags: string[] = [];
  const signatures: Signature[] = [];
  const leftOut: string[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) {
      tags.push(...strings(field.bytes, 4));
    } else if (field.number === 2) {
      graphDef = field.bytes;
    } else if (field.number === 6) {
      hasAssets = true;
    } else if (field.number === 5) {
      const [name, value] = mapEntry(field);
      if (name.startsWith(internalPrefix)) continue;
      try {
        const signature = readSignature(name, value);
        if (signature.outputs.length > 0) signatures.push(signature);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        leftOut.push(error.message);
      }
    }
  }
  return { tags, signatures: signatures.sort(byName), leftOut, graphDef, hasAssets };
}

function readSignature(name: string, message: Uint8Array): Signature {
  const inputs: TensorSpec[] = [];
  const outputs: TensorSpec[] = [];
  let methodName = '';
  for (const field of fieldsOf(message)) {
    if (field.number === 1) inputs.push(readTensorInfo(name, field));
    else if (field.number === 2) outputs.push(readTensorInfo(name, field));
    else if (field.number === 3) methodName = textOf(field);
  }
  // Maps have no order of their own in protobuf; the alphabet at least stays the same.
  return { name, inputs: inputs.sort(byName), outputs: outputs.sort(byName), methodName };
}

function readTensorInfo(signature: string, entry: Field): TensorSpec {
  const [name, message] = mapEntry(entry);
  let tensorName = '';
  let type = 0;
  let shape: number[] | null = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) tensorName = textOf(field);
    else if (field.number === 2) type = signedOf(field);
    else if (field.number === 3) shape = readShape(field.bytes);
  }
  const datatype = datatypeOfNumber(type);
  if (datatype === undefined || tensorName === '') {
    const what = tensorName === '' ? 'is sparse or composite' : `has TensorFlow's data type ${type}`;
    throw new EngineError(
      'InvalidArgument',
      `signature "${signature}": "${name}" ${what}, which cannot be served`,
    );
  }
  return { name, datatype, shape, tensorName };
}

function strings(message: Uint8Array, number: number): string[] {
  return [...fieldsOf(message)].filter((field) => field.number === number).map(textOf);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
