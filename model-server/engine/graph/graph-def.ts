/**
 * TensorFlow's GraphDef, written node by node. Field numbers are those of `graph.proto`, `node_def.proto`,
 * `attr_value.proto`, `tensor.proto` and `tensor_shape.proto` in tensorflow/core/framework. Pure.
 */
import {
  bytesField,
  concatenated,
  type Encoded,
  entryField,
  floatField,
  integerField,
  messageField,
} from './protobuf-writer.ts';

/** Numbers of `types.proto` for what weights and constants are made of. */
export const dataTypes = { float: 1, int32: 3, string: 7, int64: 9, bool: 10 } as const;

/** An AttrValue without its tag. */
export type Attribute = Encoded;

export const attribute = {
  type: (dataType: number): Attribute => integerField(6, dataType),
  integer: (value: number | bigint): Attribute => integerField(3, value),
  float: (value: number): Attribute => floatField(4, value),
  bool: (value: boolean): Attribute => integerField(5, value ? 1 : 0),
  bytes: (value: Uint8Array | string): Attribute => bytesField(2, value),
  shape: (sizes: readonly number[] | null): Attribute => messageField(7, shapeProto(sizes)),
  tensor: (value: Encoded): Attribute => messageField(8, value),
  integers: (values: readonly (number | bigint)[]): Attribute =>
    messageField(1, ...values.map((value) => integerField(3, value))),
  list: (items: readonly Encoded[]): Attribute => messageField(1, ...items),
};

/** A TensorShapeProto; -1 is a variable size, `null` leaves the rank open. */
export function shapeProto(sizes: readonly number[] | null): Encoded {
  if (sizes === null) return integerField(3, 1);
  return concatenated(sizes.map((size) => messageField(2, integerField(1, size))));
}

/** A TensorProto. @param values raw little-endian elements, or one byte string for each. */
export function tensorProto(
  dataType: number,
  shape: readonly number[],
  values: Uint8Array | readonly Uint8Array[],
): Encoded {
  const content =
    values instanceof Uint8Array ? [bytesField(4, values)] : values.map((text) => bytesField(8, text));
  return concatenated([integerField(1, dataType), messageField(2, shapeProto(shape)), ...content]);
}

export interface Node {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:1`, or `^node` for order alone. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A NodeDef without its tag. */
export function nodeDef({ name, op, inputs, attributes }: Node): Encoded {
  return concatenated([
    bytesField(1, name),
    bytesField(2, op),
    ...inputs.map((input) => bytesField(3, input)),
    ...Object.entries(attributes).map(([key, value]) => entryField(5, key, value)),
  ]);
}

/** @param producer version of TensorFlow's graphs that the nodes were written for. */
export function graphDef(nodes: readonly Node[], producer: number, library?: Encoded): Encoded {
  return concatenated([
    ...nodes.map((node) => messageField(1, nodeDef(node))),
    ...(library ? [messageField(2, library)] : []),
    messageField(4, integerField(1, producer)),
  ]);
}

/** A constant; its memory is not copied. */
export function constantNode(
  name: string,
  dataType: number,
  shape: readonly number[],
  values: Uint8Array | readonly Uint8Array[],
): Node {
  const value = attribute.tensor(tensorProto(dataType, shape, values));
  return { name, op: 'Const', inputs: [], attributes: { dtype: attribute.type(dataType), value } };
}
