/** Arbitrary tensors for properties. */
import fc from 'fast-check';
import { arrayTypes, rangeOf } from '../../../../model-server/protocol/cast.ts';
import { type Datatype, elementCount, type Tensor } from '../../../../model-server/protocol/tensor.ts';

/** @param json only values that JSON carries without loss: 53-bit integers, finite floats, valid text. */
export function elements(datatype: Datatype, json: boolean): fc.Arbitrary<number | bigint | Uint8Array> {
  switch (datatype) {
    case 'BOOL':
      return fc.integer({ min: 0, max: 1 });
    case 'BYTES':
      return json
        ? fc.string({ unit: 'grapheme' }).map((text) => Uint8Array.from(Buffer.from(text)))
        : fc.uint8Array({ maxLength: 40 });
    case 'FP16':
      return fc.integer({ min: 0, max: 65_535 }).filter((bits) => !json || (bits & 0x7c00) !== 0x7c00);
    case 'BF16':
      return fc.integer({ min: 0, max: 65_535 }).filter((bits) => !json || (bits & 0x7f80) !== 0x7f80);
    case 'FP32':
      return fc.float({ noNaN: json, noDefaultInfinity: json });
    case 'FP64':
      return fc.double({ noNaN: json, noDefaultInfinity: json });
    case 'INT64':
      return json ? fc.maxSafeInteger().map(BigInt) : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'UINT64':
      return json ? fc.maxSafeNat().map(BigInt) : fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default: {
      const { least, greatest } = rangeOf(datatype) as { least: number; greatest: number };
      return fc.integer({ min: least, max: greatest });
    }
  }
}

export function tensors(
  datatype: Datatype,
  options: { json: boolean; minRank?: number },
): fc.Arbitrary<Tensor> {
  return fc
    .array(fc.integer({ min: 1, max: 3 }), { minLength: options.minRank ?? 0, maxLength: 4 })
    .chain((shape) => {
      const count = elementCount(shape);
      return fc
        .array(elements(datatype, options.json), { minLength: count, maxLength: count })
        .map((values) => tensorOf(datatype, shape, values));
    });
}

export function tensorOf(
  datatype: Datatype,
  shape: readonly number[],
  values: readonly (number | bigint | Uint8Array)[],
): Tensor {
  if (datatype === 'BYTES') return { datatype, shape, data: values as Uint8Array[] };
  const data = new arrayTypes[datatype](values.length);
  values.forEach((value, i) => {
    data[i] = value as never;
  });
  return { datatype, shape, data } as Tensor;
}

/** What a tensor says, bit for bit. */
export function said({ datatype, shape, data }: Tensor): object {
  const values = Array.isArray(data)
    ? data.map((bytes) => Buffer.from(bytes).toString('hex'))
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
  return { datatype, shape: [...shape], values };
}
