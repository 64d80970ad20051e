/**
 * A TensorFlow.js graph model as TensorFlow's own graph. Its topology is a GraphDef in protocol buffers' JSON form;
 * constants lie in the weights, and some operations were fused in ways of which TensorFlow does not know all. Pure.
 */
import type { Weight, Weights } from '../tfjs-files.ts';
import { type GraphSignature, graphSignature, type TfjsTensorInfo } from '../tfjs-signature.ts';
import { constantNode, dataTypes, graphDef, type Node, nodeDef } from './graph-def.ts';
import {
  attributeEntries,
  dataTypeOf,
  type JsonAttribute,
  type JsonAttributes,
  shapeOf,
  writeAttributes,
} from './json-attributes.ts';
import { NotTranslatable } from './not-translatable.ts';
import { bytesField, concatenated, type Encoded, integerField, messageField } from './protobuf-writer.ts';
import type { Translated } from './translated.ts';
import { unfused } from './unfuse.ts';

export interface JsonNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: JsonAttributes;
}
interface JsonArgument {
  readonly name?: string;
  readonly type?: string | number;
  readonly typeAttr?: string;
  readonly numberAttr?: string;
  readonly typeListAttr?: string;
}
interface JsonFunctionDef {
  readonly signature: {
    readonly name: string;
    readonly inputArg?: readonly JsonArgument[];
    readonly outputArg?: readonly JsonArgument[];
    readonly attr?: readonly unknown[];
    readonly isStateful?: boolean;
    readonly controlOutput?: readonly string[];
  };
  readonly nodeDef?: readonly JsonNode[];
  readonly ret?: Readonly<Record<string, string>>;
  readonly controlRet?: Readonly<Record<string, string>>;
  readonly attr?: JsonAttributes;
}
interface Topology {
  readonly node?: readonly JsonNode[];
  readonly library?: { readonly function?: readonly JsonFunctionDef[] };
  readonly versions?: { readonly producer?: number };
}

/** For files of converters that did not write it down: none of TensorFlow's operations was obsolete yet. */
const oldestProducer = 21;

/** @throws NotTranslatable with the reason why only TensorFlow.js can run it. */
export function translateTopology(document: Readonly<Record<string, unknown>>, weights: Weights): Translated {
  const topology = (document['modelTopology'] ?? {}) as Topology;
  if (document['modelInitializer'] !== undefined && document['modelInitializer'] !== null) {
    throw new NotTranslatable('it fills tables at its start');
  }
  const nodes = topology.node ?? [];
  const functions = topology.library?.function ?? [];
  const library = concatenated(functions.map((each) => messageField(1, writeFunction(each, weights))));
  return {
    graph: graphDef(
      nodes.flatMap((node) => unfused(node) ?? [plainNode(node, weights)]),
      topology.versions?.producer ?? oldestProducer,
      library,
    ),
    signature: signatureOf(document, nodes),
  };
}

function signatureOf(document: Readonly<Record<string, unknown>>, nodes: readonly JsonNode[]) {
  const metadata = document['userDefinedMetadata'] as { signature?: GraphSignature } | undefined;
  const signature = metadata?.signature ?? (document['signature'] as GraphSignature | undefined);
  const used = new Set(
    nodes.flatMap(({ input = [] }) => input.map((each) => each.replace(/^\^/, '').split(':')[0])),
  );
  const known = (node: JsonNode): TfjsTensorInfo => ({
    name: node.name,
    // The graph itself says which datatype it is.
    dtype: 'float32',
    shape: node.attr?.['shape']?.shape ? (shapeOf(node.attr['shape'].shape) ?? undefined) : undefined,
  });
  const inputs = nodes.filter(({ op }) => op.startsWith('Placeholder')).map(known);
  const outputs =
    Object.keys(signature?.outputs ?? {}).length > 0 ? nodes : nodes.filter(({ name }) => !used.has(name));
  return graphSignature(signature, inputs, outputs.map(known));
}

function plainNode({ name, op, input = [], attr = {} }: JsonNode, weights: Weights): Node {
  if (op === 'Const') return constantOf(name, attr['dtype'], weights.get(name));
  return { name, op, inputs: input, attributes: writeAttributes(attr) };
}

const typeOfWeight = {
  float32: dataTypes.float,
  int32: dataTypes.int32,
  bool: dataTypes.bool,
  string: dataTypes.string,
};

function constantOf(name: string, declared: JsonAttribute | undefined, weight: Weight | undefined): Node {
  if (!weight) throw new NotTranslatable(`the constant "${name}" has no weight`);
  const stored = typeOfWeight[weight.dtype];
  const wanted = declared?.type === undefined ? stored : dataTypeOf(declared.type);
  if (wanted === stored) return constantNode(name, stored, weight.shape, weight.values);
  // TensorFlow.js has no wider integers, so its converter narrows them.
  if (wanted === dataTypes.int64 && weight.dtype === 'int32' && weight.values instanceof Uint8Array) {
    return constantNode(name, wanted, weight.shape, widened(weight.values));
  }
  throw new NotTranslatable(
    `the constant "${name}" is ${weight.dtype} and stands for ${String(declared?.type)}`,
  );
}

function widened(narrow: Uint8Array): Uint8Array {
  const view = new DataView(narrow.buffer, narrow.byteOffset, narrow.byteLength);
  const wide = BigInt64Array.from({ length: narrow.byteLength / 4 }, (_, i) =>
    BigInt(view.getInt32(4 * i, true)),
  );
  return new Uint8Array(wide.buffer);
}

/** FunctionDef of `function.proto`, OpDef and ArgDef of `op_def.proto`. */
function writeFunction(definition: JsonFunctionDef, weights: Weights): Encoded {
  const { signature, nodeDef: nodes = [], ret = {}, controlRet = {}, attr = {} } = definition;
  if (signature.attr?.length)
    throw new NotTranslatable(`the function "${signature.name}" has parameters of its own`);
  for (const node of nodes) {
    // What replaces a fused operation calls its outputs otherwise, and in functions outputs go by name.
    if (unfused(node)) throw new NotTranslatable(`the function "${signature.name}" has a fused ${node.op}`);
  }
  return concatenated([
    messageField(
      1,
      bytesField(1, signature.name),
      ...(signature.inputArg ?? []).map((each) => messageField(2, ...argumentFields(each))),
      ...(signature.outputArg ?? []).map((each) => messageField(3, ...argumentFields(each))),
      ...(signature.isStateful ? [integerField(17, 1)] : []),
      ...(signature.controlOutput ?? []).map((each) => bytesField(20, each)),
    ),
    ...nodes.map((node) => messageField(3, nodeDef(plainNode(node, weights)))),
    ...textEntries(4, ret),
    attributeEntries(5, attr),
    ...textEntries(6, controlRet),
  ]);
}

function argumentFields({ name = '', type, typeAttr, numberAttr, typeListAttr }: JsonArgument): Encoded[] {
  return [
    bytesField(1, name),
    ...(type === undefined ? [] : [integerField(3, dataTypeOf(type))]),
    ...(typeAttr ? [bytesField(4, typeAttr)] : []),
    ...(numberAttr ? [bytesField(5, numberAttr)] : []),
    ...(typeListAttr ? [bytesField(6, typeListAttr)] : []),
  ];
}

/** A `map<string, string>`. */
function textEntries(field: number, entries: Readonly<Record<string, string>>): Encoded[] {
  return Object.entries(entries).map(([key, value]) =>
    messageField(field, bytesField(1, key), bytesField(2, value)),
  );
}
