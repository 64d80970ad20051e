/**
 * Tensors as raw bytes, as in the binary tensor extension
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md):
 * little-endian, row-major, no padding; BOOL is one byte; each BYTES element has a 4-byte length before it. Pure.
 */
import { invalid } from './errors.ts';
import { maxByteStrings, newElements } from './read-tensor.ts';
import { type Datatype, datatypeBytes, elementCount, formatShape, type Tensor } from './tensor.ts';

/**
 * The values are copied: a request's bytes lie at any offset, and typed arrays need an aligned one.
 * @throws ProtocolError when the bytes are not exactly what datatype and shape need
 */
export function tensorFromBytes(
  datatype: Datatype,
  shape: readonly number[],
  bytes: Uint8Array,
  field: string,
): Tensor {
  const length = elementCount(shape);
  if (datatype === 'BYTES') return { datatype, shape, data: byteStrings(bytes, length, field) };
  const expected = length * datatypeBytes[datatype];
  if (bytes.byteLength !== expected) {
    throw invalid(
      field,
      `${bytes.byteLength} bytes found, ${expected} expected for ${datatype} of shape ${formatShape(shape)}`,
    );
  }
  const data = newElements(datatype, length);
  new Uint8Array(data.buffer).set(bytes);
  if (datatype === 'BOOL' && (data as Uint8Array).some((value) => value > 1)) {
    throw invalid(field, 'a BOOL byte other than 0 and 1 found');
  }
  return { datatype, shape, data } as Tensor;
}

function byteStrings(bytes: Uint8Array, length: number, field: string): Uint8Array[] {
  if (length > maxByteStrings) {
    throw invalid(field, `${length} byte strings found, at most ${maxByteStrings} are taken in one request`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength && strings.length <= length) {
    const size = at + 4 <= bytes.byteLength ? view.getUint32(at, true) : undefined;
    if (size === undefined || at + 4 + size > bytes.byteLength) {
      throw invalid(field, `byte string ${strings.length} is cut off`);
    }
    strings.push(Uint8Array.prototype.slice.call(bytes, at + 4, at + 4 + size));
    at += 4 + size;
  }
  if (strings.length !== length) {
    const found = strings.length > length ? `more than ${length}` : strings.length;
    throw invalid(field, `${found} byte strings found, ${length} expected`);
  }
  return strings;
}

/** The raw bytes: a view where the tensor's own memory already has the layout. */
export function tensorToBytes(tensor: Tensor): Uint8Array {
  if (tensor.datatype !== 'BYTES') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const size = tensor.data.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const element of tensor.data) {
    view.setUint32(at, element.byteLength, true);
    bytes.set(element, at + 4);
    at += 4 + element.byteLength;
  }
  return bytes;
}
