/** Writes protocol buffers (https://protobuf.dev/programming-guides/encoding): as much as a small SavedModel needs. */

/** A field that is written already; a message is their concatenation. */
export type Encoded = Uint8Array;

export function varint(value: number): Encoded {
  const bytes: number[] = [];
  // -1, a dimension of any size, has ten bytes as every negative number.
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

export const number = (field: number, value: number): Encoded =>
  Buffer.concat([varint(field << 3), varint(value)]);

export const bytes = (field: number, content: Uint8Array | string): Encoded => {
  const data = Buffer.from(content);
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};

export const message = (field: number, ...fields: Encoded[]): Encoded => bytes(field, Buffer.concat(fields));

/** One entry of a `map<string, Message>`. */
export const entry = (field: number, key: string, ...value: Encoded[]): Encoded =>
  message(field, bytes(1, key), message(2, ...value));
