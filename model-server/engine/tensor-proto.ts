/**
 * Reads a `TensorProto` (tensorflow/core/framework/tensor.proto): the values as raw bytes in `tensor_content`, or one by
 * one in a field for their kind, of which the last stands for all that follow. Pure.
 */

import { tensorFromBytes } from '../protocol/raw.ts';
import { newElements } from '../protocol/read-tensor.ts';
import { type Datatype, elementCount, type Tensor } from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import { type Field, fieldsOf } from './protobuf.ts';
import { readShape } from './tensor-shape.ts';

const FIELD = { dtype: 1, shape: 2, content: 4, string: 8 } as const;
/** Fields of values by their wire form. */
const FLOATS = 5;
const DOUBLES = 6;
/** int_val, int64_val, bool_val, half_val, uint32_val, uint64_val. */
const VARINTS: ReadonlySet<number> = new Set([7, 10, 11, 13, 16, 17]);
/** Elements that a recorded tensor may have: far above any sensible request. */
const MOST_ELEMENTS = 2 ** 28;

/** @throws RangeError in a sentence when it is no tensor that this server knows. */
export function readTensorProto(message: Uint8Array): Tensor {
  let datatype: Datatype | undefined;
  let shape: number[] = [];
  let content: Uint8Array | undefined;
  const strings: Uint8Array[] = [];
  const values: (number | bigint)[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === FIELD.dtype) datatype = datatypeOfNumber(Number(field.value));
    else if (field.number === FIELD.shape) shape = fixedShape(field.bytes);
    else if (field.number === FIELD.content) content = field.bytes;
    else if (field.number === FIELD.string) strings.push(Uint8Array.from(field.bytes));
    else values.push(...valuesOf(field));
  }
  if (!datatype) throw new RangeError('a tensor has a datatype that is not known');
  const count = elementCount(shape);
  if (!(count <= MOST_ELEMENTS)) throw new RangeError(`a tensor has ${count} elements`);
  if (datatype === 'BYTES') return { datatype, shape, data: repeated(strings, count, new Uint8Array(0)) };
  if (content && content.length > 0) return tensorFromBytes(datatype, shape, content, 'tensor_content');
  const data = newElements(datatype, count);
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const all = repeated<number | bigint>(values, count, isBig ? 0n : 0);
  for (let at = 0; at < count; at++) {
    const value = all[at] ?? 0;
    (data as unknown as (number | bigint)[])[at] = isBig ? BigInt(value) : Number(value);
  }
  return { datatype, shape, data } as Tensor;
}

function fixedShape(message: Uint8Array): number[] {
  const shape = readShape(message);
  if (shape === null || shape.includes(-1)) throw new RangeError('a tensor has a dimension without a size');
  return shape;
}

/** One value, or several that are packed into one field. */
function valuesOf({ number, value, bytes }: Field): (number | bigint)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (number === FLOATS) {
    if (bytes.length === 0) return [floatOf(value)];
    return Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true));
  }
  if (number === DOUBLES) {
    if (bytes.length === 0) return [doubleOf(value)];
    return Array.from({ length: bytes.length / 8 }, (_, index) => view.getFloat64(index * 8, true));
  }
  if (!VARINTS.has(number)) return [];
  return bytes.length === 0 ? [BigInt.asIntN(64, value)] : varintsOf(bytes);
}

function varintsOf(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    values.push(BigInt.asIntN(64, value));
    [value, shift] = [0n, 0n];
  }
  return values;
}

const scratch = new DataView(new ArrayBuffer(8));

function floatOf(bits: bigint): number {
  scratch.setUint32(0, Number(bits));
  return scratch.getFloat32(0);
}

function doubleOf(bits: bigint): number {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

function repeated<T>(values: readonly T[], count: number, otherwise: T): T[] {
  return Array.from({ length: count }, (_, index) => values[index] ?? values.at(-1) ?? otherwise);
}
