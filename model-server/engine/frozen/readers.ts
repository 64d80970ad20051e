/**
 * Operations that read variables, as what they become when they are given values in place of handles. Types, inputs and
 * attributes are those of `resource_variable_ops.cc`, `array_ops.cc` and `functional_ops.cc` in tensorflow/core/ops.
 * Pure.
 */
import { type Attribute, attribute, type Node, shapeProto } from '../graph/graph-def.ts';
import { functionsOf, integerOf, type NodeView, shapesOf, typeOf, typesOf } from '../graph/graph-view.ts';
import { integerField, messageField, verbatim } from '../graph/protobuf-writer.ts';
import { NotFreezable } from './not-freezable.ts';

/** TensorFlow's number for the type of handles. */
export const RESOURCE = 20;

/** TensorFlow's number for the type of a value that takes the place of a handle; undefined where nothing changes. */
export type FrozenType = number | undefined;

/** Calls a function. @returns which of its outputs are such values. */
type Call = (name: string, inputs: readonly FrozenType[]) => readonly FrozenType[];

/** @param types of the node's inputs. */
type Reader = (node: NodeView, types: readonly FrozenType[], call: Call) => Node;

/** What a graph tells beside what its operations need; of handles it does not hold for values. */
const [shapesTold, handlesTold] = ['_output_shapes', '_read_only_resource_inputs'];

const readers: Readonly<Record<string, Reader>> = {
  ReadVariableOp: (node, [type]) => ({
    ...{ ...node, op: 'Identity' },
    attributes: { ...attributesOf(node, ['dtype']), T: attribute.type(checked(node, 'dtype', type)) },
  }),
  Identity: (node, [type]) => ({
    ...node,
    attributes: { ...attributesOf(node, [shapesTold]), T: attribute.type(type as number) },
  }),
  VariableShape: (node, [type]) => ({
    ...{ ...node, op: 'Shape' },
    attributes: { ...attributesOf(node), T: attribute.type(type as number) },
  }),
  ResourceGather: (node, [type, indices]) => {
    if (indices !== undefined || integerOf(node.attributes.get('batch_dims')) !== 0) refuse(node);
    return {
      ...{ ...node, op: 'Gather' },
      attributes: {
        ...attributesOf(node, ['dtype', 'batch_dims']),
        Tparams: attribute.type(checked(node, 'dtype', type)),
      },
    };
  },
  PartitionedCall: callOf,
  StatefulPartitionedCall: callOf,
  If: choiceOf,
  StatelessIf: choiceOf,
  While: loopOf,
  StatelessWhile: loopOf,
};

/** @throws NotFreezable for an operation that does more with a variable, or of which that is not known. */
export function reader(node: NodeView): Reader {
  return (Object.hasOwn(readers, node.op) ? readers[node.op] : undefined) ?? refuse(node);
}

function refuse({ name, op }: NodeView): never {
  throw new NotFreezable(`"${name}" (${op}) does more with a variable than read it`);
}

/** Names of operations that keep something from one run to the next or find it by a handle. */
const stateful =
  /Variable|VarHandle|Table|Iterator|Queue|Barrier|Reader|Resource|Mutex|Tree|^Stack|^Anonymous|^Assign/;

export function holdsState({ op }: NodeView): boolean {
  return stateful.test(op);
}

function attributesOf({ attributes }: NodeView, without: readonly string[] = []): Record<string, Attribute> {
  const kept = [...attributes].filter(([key]) => !without.includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, verbatim(value)]));
}

function checked(node: NodeView, name: string, type: FrozenType): number {
  if (type === undefined || typeOf(node.attributes.get(name)) !== type) refuse(node);
  return type;
}

function callOf(node: NodeView, types: readonly FrozenType[], call: Call): Node {
  expectNoValues(node, call(functionOf(node, 'f'), types));
  return withTypes(node, types);
}

function choiceOf(node: NodeView, [condition, ...types]: readonly FrozenType[], call: Call): Node {
  if (condition !== undefined) refuse(node);
  for (const branch of ['then_branch', 'else_branch']) {
    expectNoValues(node, call(functionOf(node, branch), types));
  }
  return withTypes(node, types);
}

function withTypes(node: NodeView, types: readonly FrozenType[]): Node {
  return { ...node, attributes: { ...attributesOf(node, [handlesTold]), Tin: typeList(node, 'Tin', types) } };
}

function loopOf(node: NodeView, types: readonly FrozenType[], call: Call): Node {
  expectNoValues(node, call(functionOf(node, 'cond'), types));
  const outputs = call(functionOf(node, 'body'), types);
  // What goes round must come back as it went in.
  if (outputs.some((type, index) => type !== types[index])) refuse(node);
  const shapes = shapesOf(node.attributes.get('output_shapes')).map((shape, index) =>
    messageField(7, types[index] === undefined ? verbatim(shape) : shapeProto(null)),
  );
  return {
    ...node,
    attributes: {
      ...attributesOf(node, [shapesTold, handlesTold]),
      T: typeList(node, 'T', types),
      output_shapes: attribute.list(shapes),
    },
  };
}

function expectNoValues(node: NodeView, outputs: readonly FrozenType[]): void {
  if (outputs.some((type) => type !== undefined)) refuse(node);
}

function functionOf(node: NodeView, name: string): string {
  const [called] = functionsOf(node.attributes.get(name) ?? new Uint8Array(0));
  return called ?? refuse(node);
}

function typeList(node: NodeView, name: string, frozen: readonly FrozenType[]): Attribute {
  const types = typesOf(node.attributes.get(name));
  return attribute.list(types.map((type, index) => integerField(6, frozen[index] ?? type)));
}
