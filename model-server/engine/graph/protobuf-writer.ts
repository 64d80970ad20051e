/**
 * Writes protocol buffers (https://protobuf.dev/programming-guides/encoding) as a list of pieces: a message of
 * hundreds of megabytes of weights is described without copying them. Pure.
 */

/** Fields that are written already; a message is their concatenation. */
export interface Encoded {
  readonly pieces: readonly Uint8Array[];
  readonly byteLength: number;
}

export function concatenated(fields: readonly Encoded[]): Encoded {
  return {
    pieces: fields.flatMap(({ pieces }) => pieces),
    byteLength: fields.reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
}

const piece = (bytes: Uint8Array): Encoded => ({ pieces: [bytes], byteLength: bytes.byteLength });

/** Fields that were written by somebody else; not copied. */
export const verbatim = piece;

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  // A negative number has ten bytes, such as -1, a dimension of any size.
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

/** int32, int64, bool and enum fields. */
export function integerField(field: number, value: number | bigint): Encoded {
  return piece(Uint8Array.from([...varint(field << 3), ...varint(value)]));
}

/** A `float` field. */
export function floatField(field: number, value: number): Encoded {
  const bytes = new Uint8Array(5);
  bytes[0] = (field << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return piece(bytes);
}

const utf8 = new TextEncoder();

/** string and bytes fields; bytes are not copied and must stay as they are. */
export function bytesField(field: number, content: Uint8Array | string): Encoded {
  return messageField(field, piece(typeof content === 'string' ? utf8.encode(content) : content));
}

export function messageField(field: number, ...fields: readonly Encoded[]): Encoded {
  const content = concatenated(fields);
  const head = Uint8Array.from([...varint((field << 3) | 2), ...varint(content.byteLength)]);
  return concatenated([piece(head), content]);
}

/** One entry of a `map<string, Message>`. */
export function entryField(field: number, key: string, ...value: readonly Encoded[]): Encoded {
  return messageField(field, bytesField(1, key), messageField(2, ...value));
}
