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
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, value: varint(), bytes: none };
        break;
      case 1:
        yield { number, value: view.getBigUint64(at, true), bytes: none };
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (length > message.length - at) throw new RangeError('the message is cut off');
        yield { number, value: 0n, bytes: message.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        yield { number, value: BigInt(view.getUint32(at, true)), bytes: none };
        at += 4;
        break;
      default:
        throw new RangeError(`field ${number} has the unknown wire type ${tag % 8}`);
    }
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
