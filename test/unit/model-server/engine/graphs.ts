/** Graphs of few nodes for tests. */
import {
  type Attribute,
  attribute,
  type Node,
  nodeDef,
} from '../../../../model-server/engine/graph/graph-def.ts';
import {
  bytesField,
  type Encoded,
  integerField,
  messageField,
} from '../../../../model-server/engine/graph/protobuf-writer.ts';

export const FLOAT = 1;
const RESOURCE = 20;
export const type = { T: attribute.type(FLOAT) };
export const variable: Node = {
  name: 'v',
  op: 'VarHandleOp',
  inputs: [],
  attributes: { dtype: attribute.type(FLOAT), shape: attribute.shape([2, 3]) },
};
export const node = (
  op: string,
  inputs: string[],
  attributes: Record<string, Attribute> = {},
  name = 'y',
): Node => ({
  ...{ name, op, inputs, attributes },
});
export const read = (inputs: string[], name = 'y') =>
  node('ReadVariableOp', inputs, { dtype: attribute.type(FLOAT) }, name);
const called = (name: string) => messageField(10, bytesField(1, name));
export const types = (...numbers: number[]) =>
  attribute.list(numbers.map((number) => integerField(6, number)));
export const call = (name: string, ...inputs: string[]) =>
  node('StatefulPartitionedCall', inputs, {
    ...{ f: called(name), Tin: types(...inputs.map(() => RESOURCE)), Tout: types(FLOAT) },
  });

export interface Body {
  readonly name: string;
  readonly inputs: readonly (readonly [name: string, dataType: number])[];
  readonly nodes: readonly Node[];
  readonly returns: string;
}

export function functionDef({ name, inputs, nodes, returns }: Body): Encoded {
  const argument = (field: number, key: string, dataType: number) =>
    messageField(field, bytesField(1, key), integerField(3, dataType));
  const signature = inputs.map(([key, dataType]) => argument(2, key, dataType));
  return messageField(
    1,
    messageField(1, bytesField(1, name), ...signature, argument(3, 'out', FLOAT)),
    ...nodes.map((each) => messageField(3, nodeDef(each))),
    messageField(4, bytesField(1, 'out'), bytesField(2, returns)),
  );
}

export const inner = (nodes: Node[], returns: string): Body => ({
  ...{ name: 'inner', inputs: [['handle', RESOURCE]], nodes, returns },
});
