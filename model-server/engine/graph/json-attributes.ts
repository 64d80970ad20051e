/** Attributes of a graph in protocol buffers' JSON form, as TensorFlow.js' `model.json` holds them. Pure. */
import { type Attribute, attribute, shapeProto } from './graph-def.ts';
import { NotTranslatable } from './not-translatable.ts';
import {
  bytesField,
  concatenated,
  type Encoded,
  entryField,
  floatField,
  integerField,
  messageField,
} from './protobuf-writer.ts';

export interface JsonShape {
  readonly dim?: readonly { readonly size?: string | number }[];
  readonly unknownRank?: boolean;
}
type JsonInteger = string | number;
type JsonType = string | number;
/** Base64, or codes of bytes. */
type JsonBytes = string | readonly number[];
interface JsonFunction {
  readonly name?: string;
  readonly attr?: JsonAttributes;
}
export interface JsonAttribute {
  readonly s?: JsonBytes;
  readonly i?: JsonInteger;
  readonly f?: JsonInteger;
  readonly b?: boolean;
  readonly type?: JsonType;
  readonly shape?: JsonShape;
  readonly tensor?: unknown;
  readonly func?: JsonFunction;
  readonly placeholder?: string;
  readonly list?: {
    readonly s?: readonly JsonBytes[];
    readonly i?: readonly JsonInteger[];
    readonly f?: readonly JsonInteger[];
    readonly b?: readonly boolean[];
    readonly type?: readonly JsonType[];
    readonly shape?: readonly JsonShape[];
    readonly tensor?: readonly unknown[];
    readonly func?: readonly JsonFunction[];
  };
}
export type JsonAttributes = Readonly<Record<string, JsonAttribute>>;

/** Names of tensorflow/core/framework/types.proto in the order of their numbers, from 1. */
const typeNames = [
  'DT_FLOAT',
  'DT_DOUBLE',
  'DT_INT32',
  'DT_UINT8',
  'DT_INT16',
  'DT_INT8',
  'DT_STRING',
  'DT_COMPLEX64',
  'DT_INT64',
  'DT_BOOL',
  'DT_QINT8',
  'DT_QUINT8',
  'DT_QINT32',
  'DT_BFLOAT16',
  'DT_QINT16',
  'DT_QUINT16',
  'DT_UINT16',
  'DT_COMPLEX128',
  'DT_HALF',
  'DT_RESOURCE',
  'DT_VARIANT',
  'DT_UINT32',
  'DT_UINT64',
];

/** @throws NotTranslatable for a type that this TensorFlow has not. */
export function dataTypeOf(type: JsonType): number {
  const number = typeof type === 'number' ? type : typeNames.indexOf(type) + 1;
  if (number > 0) return number;
  throw new NotTranslatable(`it uses the data type ${JSON.stringify(type)}`);
}

export function bytesOf(bytes: JsonBytes): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : Uint8Array.from(bytes);
}

/** Text of an attribute such as `padding`; undefined when it is absent. */
export function textOf(value: JsonAttribute | undefined): string | undefined {
  return value?.s === undefined ? undefined : Buffer.from(bytesOf(value.s)).toString();
}

/** `null` when the rank is open. */
export function shapeOf({ dim, unknownRank }: JsonShape): number[] | null {
  return unknownRank ? null : (dim ?? []).map(({ size }) => Number(size ?? 0));
}

export function writeAttributes(attributes: JsonAttributes): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, writeAttribute(value)]));
}

/** @throws NotTranslatable for a tensor, whose content lies elsewhere. */
export function writeAttribute(value: JsonAttribute): Attribute {
  if (value.s !== undefined) return attribute.bytes(bytesOf(value.s));
  if (value.i !== undefined) return attribute.integer(BigInt(value.i));
  if (value.f !== undefined) return attribute.float(Number(value.f));
  if (value.b !== undefined) return attribute.bool(value.b);
  if (value.type !== undefined) return attribute.type(dataTypeOf(value.type));
  if (value.shape !== undefined) return attribute.shape(shapeOf(value.shape));
  if (value.func !== undefined) return messageField(10, ...functionFields(value.func));
  if (value.placeholder !== undefined) return bytesField(9, value.placeholder);
  if (value.list !== undefined) return attribute.list(listItems(value.list));
  throw new NotTranslatable(`it has an attribute of the kind ${Object.keys(value).join(', ') || 'nothing'}`);
}

function listItems(list: NonNullable<JsonAttribute['list']>): Encoded[] {
  if (list.tensor?.length) throw new NotTranslatable('it has an attribute that is a list of tensors');
  return [
    ...(list.s ?? []).map((value) => bytesField(2, bytesOf(value))),
    ...(list.i ?? []).map((value) => integerField(3, BigInt(value))),
    ...(list.f ?? []).map((value) => floatField(4, Number(value))),
    ...(list.b ?? []).map((value) => integerField(5, value ? 1 : 0)),
    ...(list.type ?? []).map((value) => integerField(6, dataTypeOf(value))),
    ...(list.shape ?? []).map((value) => messageField(7, shapeProto(shapeOf(value)))),
    ...(list.func ?? []).map((value) => messageField(9, ...functionFields(value))),
  ];
}

function functionFields({ name = '', attr = {} }: JsonFunction): Encoded[] {
  return [bytesField(1, name), attributeEntries(2, attr)];
}

/** A `map<string, AttrValue>`. */
export function attributeEntries(field: number, attributes: JsonAttributes): Encoded {
  return concatenated(
    Object.entries(attributes).map(([key, value]) => entryField(field, key, writeAttribute(value))),
  );
}
