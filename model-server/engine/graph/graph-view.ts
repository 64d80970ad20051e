/**
 * A serialized GraphDef, taken apart as far as it is looked at here; what is not changed is written again as it stood.
 * Field numbers are those of `graph.proto`, `node_def.proto`, `function.proto`, `op_def.proto` and `attr_value.proto`
 * in tensorflow/core/framework. Pure.
 */

import { type Field, fieldsOf, mapEntry, signedOf, textOf } from '../protobuf.ts';
import { readShape } from '../tensor-shape.ts';
import { type Encoded, verbatim } from './protobuf-writer.ts';

export interface NodeView {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:1` or `^node` in a graph; `argument`, `node:output:0` or `^node` in a function. */
  readonly inputs: readonly string[];
  /** Serialized AttrValues. */
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  /** The whole NodeDef. */
  readonly bytes: Uint8Array;
}

export interface Argument {
  readonly name: string;
  /** TensorFlow's number; 0 where an attribute decides. */
  readonly dataType: number;
}

export interface FunctionView {
  readonly name: string;
  readonly inputs: readonly Argument[];
  readonly outputs: readonly Argument[];
  readonly nodes: ReadonlyMap<string, NodeView>;
  /** Where each output comes from, by its name. */
  readonly returns: ReadonlyMap<string, string>;
  /** Whether attributes of the call decide on its types. */
  readonly isGeneric: boolean;
  /** The whole FunctionDef. */
  readonly bytes: Uint8Array;
}

export interface GraphView {
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly functions: ReadonlyMap<string, FunctionView>;
  /** Fields of the GraphDef beside nodes and functions: its versions. */
  readonly rest: readonly Encoded[];
}

const variables = new Set(['VarHandleOp', 'VariableV2', 'Variable']);

export function hasVariables({ nodes }: GraphView): boolean {
  return [...nodes.values()].some(({ op }) => variables.has(op));
}

/** @throws RangeError when the message is damaged. */
export function viewGraph(graphDef: Uint8Array): GraphView {
  const nodes: NodeView[] = [];
  const functions: FunctionView[] = [];
  const rest: Encoded[] = [];
  for (const field of fieldsOf(graphDef)) {
    if (field.number === 1) nodes.push(viewNode(field.bytes));
    else if (field.number !== 2) rest.push(asItStands(graphDef, field));
    else {
      for (const each of fieldsOf(field.bytes))
        if (each.number === 1) functions.push(viewFunction(each.bytes));
    }
  }
  return { nodes: byName(nodes), functions: byName(functions), rest };
}

/** A field as it is, with its tag. */
export function asItStands(message: Uint8Array, { from, to }: Field): Encoded {
  return verbatim(message.subarray(from, to));
}

function viewNode(bytes: Uint8Array): NodeView {
  let name = '';
  let op = '';
  const inputs: string[] = [];
  const attributes = new Map<string, Uint8Array>();
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 2) op = textOf(field);
    else if (field.number === 3) inputs.push(textOf(field));
    else if (field.number === 5) attributes.set(...mapEntry(field));
  }
  return { name, op, inputs, attributes, bytes };
}

function viewFunction(bytes: Uint8Array): FunctionView {
  let name = '';
  let isGeneric = false;
  const inputs: Argument[] = [];
  const outputs: Argument[] = [];
  const nodes: NodeView[] = [];
  const returns = new Map<string, string>();
  for (const field of fieldsOf(bytes)) {
    if (field.number === 3) nodes.push(viewNode(field.bytes));
    else if (field.number === 4) {
      const [output, source] = mapEntry(field);
      returns.set(output, utf8.decode(source));
    } else if (field.number === 1) {
      for (const part of fieldsOf(field.bytes)) {
        if (part.number === 1) name = textOf(part);
        else if (part.number === 2) inputs.push(viewArgument(part.bytes));
        else if (part.number === 3) outputs.push(viewArgument(part.bytes));
        else if (part.number === 4) isGeneric = true;
      }
    }
  }
  return { name, inputs, outputs, nodes: byName(nodes), returns, isGeneric, bytes };
}

export function viewArgument(bytes: Uint8Array): Argument {
  let name = '';
  let dataType = 0;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 3) dataType = signedOf(field);
  }
  return { name, dataType };
}

/** Of an AttrValue; 0 when it is no type. */
export function typeOf(attribute: Uint8Array | undefined): number {
  for (const field of fieldsOf(attribute ?? none)) if (field.number === 6) return signedOf(field);
  return 0;
}

/** Of an AttrValue that is a list of types. */
export function typesOf(attribute: Uint8Array | undefined): number[] {
  return itemsOf(attribute, 6).flatMap((item) =>
    item.bytes.length === 0 ? [signedOf(item)] : Array.from(item.bytes),
  );
}

/** Serialized TensorShapeProtos of an AttrValue that is a list of shapes. */
export function shapesOf(attribute: Uint8Array | undefined): Uint8Array[] {
  return itemsOf(attribute, 7).map(({ bytes }) => bytes);
}

/** Names of the functions that an AttrValue calls. */
export function functionsOf(attribute: Uint8Array): string[] {
  const own = [...fieldsOf(attribute)].filter(({ number }) => number === 10);
  return [...own, ...itemsOf(attribute, 9)].map(({ bytes }) => {
    for (const field of fieldsOf(bytes)) if (field.number === 1) return textOf(field);
    return '';
  });
}

/** An int or bool of an AttrValue; 0 when it is absent, as TensorFlow's defaults here are. */
export function integerOf(attribute: Uint8Array | undefined): number {
  for (const field of fieldsOf(attribute ?? none)) if (field.number === 3) return signedOf(field);
  return 0;
}

/** Sizes of an AttrValue that is a shape; `null` where one of them is open. */
export function sizesOf(attribute: Uint8Array | undefined): number[] | null {
  const shape = [...fieldsOf(attribute ?? none)].find(({ number }) => number === 7);
  const sizes = shape ? readShape(shape.bytes) : null;
  return sizes?.includes(-1) ? null : sizes;
}

const none = new Uint8Array(0);
const utf8 = new TextDecoder();

/** Of an AttrValue that is a list. */
function itemsOf(attribute: Uint8Array | undefined, kind: number): Field[] {
  const list = [...fieldsOf(attribute ?? none)].find(({ number }) => number === 1);
  return list ? [...fieldsOf(list.bytes)].filter(({ number }) => number === kind) : [];
}

function byName<T extends { readonly name: string }>(all: readonly T[]): Map<string, T> {
  return new Map(all.map((each) => [each.name, each]));
}
