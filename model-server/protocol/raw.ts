/**
 * Tensors as raw bytes, as in the binary tensor extension
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md):
 * little-endian, row-major, no padding; BOOL is one byte; each BYTES element has a 4-byte length before it.
 */
import { newElements } from './elements.ts';
import { invalid } from './errors.ts';
import { type Datatype, datatypeBytes, elementCount, formatShape, type Tensor } from './tensor.ts';

/** @throws ProtocolError when the bytes are not exactly what datatype and shape need */
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
  // A copy, since a request's bytes lie at any offset and typed arrays need an aligned one.
  new Uint8Array(data.buffer).set(bytes);
  if (datatype === 'BOOL' && (data as Uint8Array).some((value) => value > 1)) {
    throw invalid(field, 'a BOOL byte other than 0 and 1 found');
  }
  return { datatype, shape, data } as Tensor;
}

function byteStrings(bytes: Uint8Array, length: number, field: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const size = at + 4 <= bytes.byteLength ? view.getUint32(at, true) : undefined;
    if (size === undefined || at + 4 + size > bytes.byteLength) {
      throw invalid(field, `byte string ${strings.length} is cut off`);
    }
    strings.push(bytes.slice(at + 4, at + 4 + size));
    at += 4 + size;
  }
  if (strings.length !== length)
    throw invalid(field, `${strings.length} byte strings found, ${length} expected`);
  return strings;
}

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
