/** Reads a `TensorShapeProto` (tensorflow/core/framework/tensor_shape.proto). Pure. */
import { fieldsOf, signedOf } from './protobuf.ts';

/** @returns sizes, -1 for one that is open; `null` where the rank is. */
export function readShape(message: Uint8Array): number[] | null {
  const [dimensions, unknownRank] = [2, 3];
  const shape: number[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === unknownRank && field.value !== 0n) return null;
    if (field.number === dimensions) {
      let size = 0;
      for (const part of fieldsOf(field.bytes)) if (part.number === 1) size = signedOf(part);
      shape.push(size < 0 ? -1 : size);
    }
  }
  return shape;
}
