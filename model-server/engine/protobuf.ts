/**
 * Reads protocol buffers field by field (https://protobuf.dev/programming-guides/encoding), without a schema and
 * without copying: enough for the few fields that are needed of files that may be hundreds of megabytes. Pure.
 */

export interface Field {
  readonly number: number;
  /** Varints and fixed-width numbers as they stand, before any sign or float is read into them. */
  readonly value: bigint;
  /** A view of the content of strings, bytes and embedded messages; empty for numbers. */
  readonly bytes: Uint8Array;
  /** Where it stands in the message, its tag included. */
  readonly from: number;
  readonly to: number;
}

const none = new Uint8Array(0);

/** @throws RangeError when the message is cut off or not protobuf. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError('a number has more than ten bytes');
  };
  while (at < message.length) {
    const from = at;
    const tag = Number(varint());
    let value = 0n;
    let bytes: Uint8Array = none;
    switch (tag % 8) {
      case 0:
        value = varint();
        break;
      case 1:
        value = view.getBigUint64(at, true);
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (length > message.length - at) throw new RangeError('the message is cut off');
        bytes = message.subarray(at, at + length);
        at += length;
        break;
      }
      case 5:
        value = BigInt(view.getUint32(at, true));
        at += 4;
        break;
      default:
        throw new RangeError(`field ${Math.floor(tag / 8)} has the unknown wire type ${tag % 8}`);
    }
    yield { number: Math.floor(tag / 8), value, bytes, from, to: at };
  }
}

const utf8 = new TextDecoder();

export function textOf(field: Field): string {
  return utf8.decode(field.bytes);
}

/** An int32 or int64 field; negative numbers are ten-byte varints. */
export function signedOf(field: Field): number {
  return Number(BigInt.asIntN(64, field.value));
}

/** An entry of a `map<string, Message>`. */
export function mapEntry(entry: Field): [key: string, value: Uint8Array] {
  let key = '';
  let value: Uint8Array = none;
  for (const field of fieldsOf(entry.bytes)) {
    if (field.number === 1) key = textOf(field);
    else if (field.number === 2) value = field.bytes;
  }
  return [key, value];
}
