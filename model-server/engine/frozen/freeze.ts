/**
 * The graph of a SavedModel with its variables as constants. TensorFlow computes with a constant in ways in which it
 * cannot with a variable, whose value might change between two runs: it folds normalisation into the weights, keeps
 * weights in the order that the processor likes, and has nothing to read and lock. Pure.
 */
import { constantNode, nodeDef } from '../graph/graph-def.ts';
import {
  type Argument,
  asItStands,
  type FunctionView,
  functionsOf,
  type GraphView,
  type NodeView,
  sizesOf,
  typeOf,
} from '../graph/graph-view.ts';
import {
  bytesField,
  concatenated,
  type Encoded,
  integerField,
  messageField,
  verbatim,
} from '../graph/protobuf-writer.ts';
import { type Field, fieldsOf, mapEntry } from '../protobuf.ts';
import { NotFreezable } from './not-freezable.ts';
import { type FrozenType, holdsState, RESOURCE, reader } from './readers.ts';

export interface Variable {
  /** Of its node. */
  readonly name: string;
  /** TensorFlow's number. */
  readonly dataType: number;
  readonly byteLength: number;
}

export interface VariableValue {
  readonly shape: readonly number[];
  /** Little-endian elements. */
  readonly bytes: Uint8Array;
}

export interface Freezable {
  /** What the tensors depend on. */
  readonly variables: readonly Variable[];
  /** The GraphDef, reduced to what the tensors depend on. @param values of all variables, in their order. */
  write(values: readonly VariableValue[]): Encoded;
}

/**
 * Looks at all that happens to the variables on the way to some tensors.
 * @param tensors inputs and outputs, such as `serving_default_x:0`.
 * @throws NotFreezable when anything but reading them happens, or when other state is needed, such as a table.
 */
export function freezable(graph: GraphView, tensors: readonly string[]): Freezable {
  const reached = reachedBy(tensors, graph);
  const isVariable = ({ op }: NodeView) => op === 'VarHandleOp';
  const variables = reached.filter(isVariable).map(variableOf);
  const functions = new Functions(graph);
  const scope = new Scope(graph.nodes);
  const nodes = reached
    .filter((node) => !isVariable(node))
    .map((node) => messageField(1, functions.rewritten(node, scope)));
  return {
    variables,
    write: (values) =>
      concatenated([
        ...variables.map(({ name, dataType }, index) => {
          const { shape, bytes } = values[index] as VariableValue;
          return messageField(1, nodeDef(constantNode(name, dataType, shape, bytes)));
        }),
        ...nodes,
        messageField(2, ...functions.written),
        ...graph.rest,
      ]),
  };
}

function reachedBy(tensors: readonly string[], { nodes }: GraphView): NodeView[] {
  const reached = new Set<NodeView>();
  const next = [...tensors];
  for (let reference = next.pop(); reference !== undefined; reference = next.pop()) {
    const node = nodes.get(nodeOf(reference));
    if (!node) throw new NotFreezable(`there is no "${nodeOf(reference)}"`);
    if (reached.has(node)) continue;
    reached.add(node);
    next.push(...node.inputs);
  }
  return [...reached];
}

const nodeOf = (reference: string) => reference.replace(/^\^/, '').split(':')[0] as string;

/** Bytes of an element, by TensorFlow's number of its type. */
const widths: Readonly<Record<number, number>> = {
  ...{ 1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 9: 8, 10: 1, 14: 2, 17: 2, 19: 2, 22: 4, 23: 8 },
};

function variableOf({ name, attributes }: NodeView): Variable {
  const dataType = typeOf(attributes.get('dtype'));
  const width = widths[dataType];
  const sizes = sizesOf(attributes.get('shape'));
  if (width === undefined) throw new NotFreezable(`the variable "${name}" has the data type ${dataType}`);
  if (sizes === null) throw new NotFreezable(`the variable "${name}" has no fixed shape`);
  return { name, dataType, byteLength: sizes.reduce((product, size) => product * size, width) };
}

/** Where names of values are looked up: the graph itself, or the body of a function. */
class Scope {
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly #known: Map<string, FrozenType>;

  /** @param given to a function, by the names of its arguments. */
  constructor(nodes: ReadonlyMap<string, NodeView>, given: ReadonlyMap<string, FrozenType> = new Map()) {
    this.nodes = nodes;
    this.#known = new Map(given);
  }

  /** The type of what was a handle to a variable and is its value now; undefined for everything else. */
  frozenTypeOf(reference: string): FrozenType {
    if (this.#known.has(reference)) return this.#known.get(reference);
    // Whatever leads back to itself is nothing that is known here.
    this.#known.set(reference, undefined);
    const type = this.#find(reference);
    this.#known.set(reference, type);
    return type;
  }

  #find(reference: string): FrozenType {
    if (reference.startsWith('^')) return undefined;
    const [name = '', ...output] = reference.split(':');
    const node = this.nodes.get(name);
    if (node?.op === 'VarHandleOp') return typeOf(node.attributes.get('dtype'));
    // Both hand on what they are given.
    if (node?.op === 'Identity') return this.frozenTypeOf(node.inputs[0] ?? '');
    if (node?.op !== 'While' && node?.op !== 'StatelessWhile') return undefined;
    return this.frozenTypeOf(node.inputs[Number(output.at(-1) ?? 0)] ?? '');
  }
}

/** In functions outputs go by name, and what reads a variable calls its output otherwise than what takes its place. */
function renamed(reference: string, { nodes }: Scope): string {
  const [name = '', output, index] = reference.split(':');
  const isRead = output === 'value' && nodes.get(name)?.op === 'ReadVariableOp';
  return isRead ? `${name}:output:${index}` : reference;
}

interface WrittenFunction {
  readonly inputs: readonly FrozenType[];
  readonly outputs: readonly FrozenType[];
  readonly definition: Encoded;
}

/** Functions that were called, each with values in place of the handles that it took. */
class Functions {
  readonly #graph: GraphView;
  /** Undefined while a function's body is looked at. */
  readonly #written = new Map<string, WrittenFunction | undefined>();

  constructor(graph: GraphView) {
    this.#graph = graph;
  }

  get written(): Encoded[] {
    return [...this.#written.values()].flatMap((each) => (each ? [messageField(1, each.definition)] : []));
  }

  /** The NodeDef of a node, in the graph or in a function. */
  rewritten(node: NodeView, scope: Scope): Encoded {
    const types = node.inputs.map((input) => scope.frozenTypeOf(input));
    const inputs = node.inputs.map((input) => renamed(input, scope));
    if (types.some((type) => type !== undefined)) {
      const read = reader(node)(node, types, (name, given) => this.#call(name, given));
      return nodeDef({ ...read, inputs });
    }
    if (holdsState(node)) throw new NotFreezable(`"${node.name}" (${node.op}) keeps state of its own`);
    for (const attribute of node.attributes.values()) {
      for (const name of functionsOf(attribute)) this.#call(name, []);
    }
    if (inputs.every((input, index) => input === node.inputs[index])) return verbatim(node.bytes);
    const rest = [...fieldsOf(node.bytes)].filter(({ number }) => number !== 3);
    return concatenated([
      ...rest.map((field) => asItStands(node.bytes, field)),
      ...inputs.map((input) => bytesField(3, input)),
    ]);
  }

  /** @param inputs types of values in place of handles, by position. @returns the same for its outputs. */
  #call(name: string, inputs: readonly FrozenType[]): readonly FrozenType[] {
    const known = this.#written.get(name);
    if (known) {
      const isSame = known.inputs.every((type, index) => type === inputs[index]);
      if (isSame) return known.outputs;
      throw new NotFreezable(`the function "${name}" is called for variables of unlike types`);
    }
    if (this.#written.has(name)) throw new NotFreezable(`the function "${name}" calls itself`);
    const definition = this.#graph.functions.get(name);
    if (!definition) throw new NotFreezable(`there is no function "${name}"`);
    this.#written.set(name, undefined);
    const written = this.#write(definition, inputs);
    this.#written.set(name, written);
    return written.outputs;
  }

  #write(view: FunctionView, given: readonly FrozenType[]): WrittenFunction {
    const inputs = view.inputs.map((_, index) => given[index]);
    const isCalledWithValues = inputs.some((type) => type !== undefined);
    if (view.isGeneric && isCalledWithValues) {
      throw new NotFreezable(`the function "${view.name}" has parameters of its own`);
    }
    const other = view.inputs.find(
      ({ dataType }, index) => dataType === RESOURCE && inputs[index] === undefined,
    );
    if (other) throw new NotFreezable(`the function "${view.name}" is given "${other.name}", no variable`);
    const scope = new Scope(view.nodes, new Map(view.inputs.map(({ name }, at) => [name, inputs[at]])));
    const nodes = [...view.nodes.values()].map((node) => messageField(3, this.rewritten(node, scope)));
    const outputs = view.outputs.map(({ name }) => scope.frozenTypeOf(view.returns.get(name) ?? ''));
    const rest = [...fieldsOf(view.bytes)].flatMap((field) => {
      if (field.number === 1) return [messageField(1, ...writeSignature(view, field.bytes, inputs, outputs))];
      if (field.number === 3 || field.number === 4) return [];
      if (isCalledWithValues && describesArguments(field)) return [];
      return [asItStands(view.bytes, field)];
    });
    const returns = [...view.returns].map(([output, source]) =>
      messageField(4, bytesField(1, output), bytesField(2, renamed(source, scope))),
    );
    return { inputs, outputs, definition: concatenated([...rest, ...nodes, ...returns]) };
  }
}

/** Fields of a FunctionDef that tell shapes of the handles, or which handles are one. */
function describesArguments(field: Field): boolean {
  const [attributes, argumentAttributes, resourceIds] = [5, 7, 8];
  if (field.number === attributes) return mapEntry(field)[0] === '_input_shapes';
  return field.number === argumentAttributes || field.number === resourceIds;
}

/** The fields of a function's OpDef. */
function writeSignature(
  view: FunctionView,
  signature: Uint8Array,
  inputs: readonly FrozenType[],
  outputs: readonly FrozenType[],
): Encoded[] {
  let [input, output] = [0, 0];
  return [...fieldsOf(signature)].map((field) => {
    const isInput = field.number === 2;
    if (!isInput && field.number !== 3) return asItStands(signature, field);
    const at = isInput ? input++ : output++;
    const type = (isInput ? inputs : outputs)[at];
    if (type === undefined) return asItStands(signature, field);
    const { name } = (isInput ? view.inputs : view.outputs)[at] as Argument;
    return messageField(field.number, bytesField(1, name), integerField(3, type));
  });
}
