/**
 * Tensors as JSON text. Pure.
 *
 * - JSON has no NaN and no infinities: they are written `null`, never as words that clients' parsers choke on.
 * - Floats always have a decimal point or an exponent, as TensorFlow Serving's: 1.0. FP16, BF16 and FP32 have as
 *   many digits as give the same value back, so 0.1 and not 0.10000000149011612.
 * - INT64 and UINT64 have all their digits.
 */
import { fromBfloat16, fromHalf } from './half.ts';
import { float, nestedSingles, singleText } from './single-text.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** Writes the element with this row-major number. */
export type ElementWriter = (index: number) => string;
export type BytesWriter = (element: Uint8Array) => string;

/** @param bytes writes an element of BYTES. */
export function elementWriter(tensor: Tensor, bytes: BytesWriter): ElementWriter {
  const { data } = tensor;
  switch (tensor.datatype) {
    case 'BOOL':
      return (index) => (data[index] ? 'true' : 'false');
    case 'BYTES':
      return (index) => bytes(tensor.data[index] as Uint8Array);
    case 'FP16':
      return (index) => singleText(fromHalf(tensor.data[index] as number));
    case 'BF16':
      return (index) => singleText(fromBfloat16(tensor.data[index] as number));
    case 'FP32':
      return (index) => singleText(tensor.data[index] as number);
    case 'FP64':
      return (index) => float(tensor.data[index] as number);
    default:
      return (index) => String(data[index]);
  }
}

/** All elements between commas, row-major. @param bytes writes an element of BYTES. */
export function flatList(tensor: Tensor, bytes: BytesWriter): string {
  if (tensor.datatype === 'FP32') return nestedSingles(tensor.data, [tensor.data.length], 0);
  const write = elementWriter(tensor, bytes);
  const tokens = new Array<string>(tensor.data.length);
  for (let index = 0; index < tokens.length; index++) tokens[index] = write(index);
  return `[${tokens.join(',')}]`;
}

/** The whole tensor as nested lists, or one row of it. @param bytes writes an element of BYTES. */
export function nestedLists(tensor: Tensor, bytes: BytesWriter, row?: number): string {
  const inner = row === undefined ? tensor.shape : tensor.shape.slice(1);
  let next = row === undefined ? 0 : row * elementCount(inner);
  if (tensor.datatype === 'FP32' && inner.length > 0) return nestedSingles(tensor.data, inner, next);
  const write = elementWriter(tensor, bytes);
  const walk = (dimension: number): string => {
    if (dimension === inner.length) return write(next++);
    const items: string[] = [];
    for (let i = 0; i < (inner[dimension] as number); i++) items.push(walk(dimension + 1));
    return `[${items.join(',')}]`;
  };
  return walk(0);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that the bytes are; undefined when they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function base64Object(bytes: Uint8Array): string {
  return `{"b64":"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"}`;
}
