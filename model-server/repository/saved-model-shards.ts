import { open } from 'node:fs/promises';
import { LoadError } from './load-error.ts';

/** Longest header entry that is looked at; real ones have some ten bytes. */
const HEAD_BYTES = 256;
const MOST_SHARDS = 10_000;

/**
 * Names of the data files that belong to a `variables.index`, such as `variables.data-00000-of-00001`.
 *
 * The index is a table of key, value entries, sorted by key, whose first key is empty and holds a BundleHeaderProto
 * (tensorflow/core/protobuf/tensor_bundle.proto); its field 1 is the number of shards. TensorFlow writes the table
 * uncompressed, so the file begins with that entry: shared 0, unshared 0, length of the value, value.
 * @throws LoadError FormatUnknown
 */
export async function savedModelShards(file: string, place: string): Promise<string[]> {
  const shards = shardCount(await head(file));
  if (shards === undefined || shards < 1 || shards > MOST_SHARDS) {
    throw new LoadError(
      'FormatUnknown',
      `${place} is no index of a SavedModel's variables: give a .tar.gz of the model`,
    );
  }
  const number = (index: number) => String(index).padStart(5, '0');
  return Array.from({ length: shards }, (_, index) => `variables.data-${number(index)}-of-${number(shards)}`);
}

/** Number of shards, or undefined when the bytes are no such table. A header without the field has zero. */
export function shardCount(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0 || bytes[1] !== 0) return undefined;
  const length = varint(bytes, 2);
  if (!length || length.next + length.value > bytes.length) return undefined;
  const end = length.next + length.value;
  for (let at = length.next; at < end; ) {
    const tag = varint(bytes, at);
    if (!tag) return undefined;
    const wireType = tag.value & 7;
    const field = tag.value >>> 3;
    const value = varint(bytes, tag.next);
    if (!value) return undefined;
    if (field === 1 && wireType === 0) return value.value;
    // Varints are one value; length-delimited fields are skipped; nothing else occurs in this message.
    if (wireType === 0) at = value.next;
    else if (wireType === 2) at = value.next + value.value;
    else return undefined;
  }
  return 0;
}

function varint(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: at + index + 1 };
  }
  return undefined;
}

async function head(file: string): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
