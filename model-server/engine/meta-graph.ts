/**
 * Reads the signatures out of a serialized tensorflow.MetaGraphDef. Only the few fields that matter are read, by
 * their numbers in tensorflow/core/protobuf/meta_graph.proto and tensorflow/core/framework/tensor_shape.proto.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Signature, TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfNumber } from './data-types.ts';

/** TensorFlow's own entry for initialising variables; not something that a client calls. */
const initSignature = '__saved_model_init_op';

/** A signature, or why it cannot be served. */
export type ReadSignature =
  | { readonly kind: 'usable'; readonly signature: Signature }
  | { readonly kind: 'unusable'; readonly name: string; readonly because: string };

/**
 * @throws RangeError (from the reader) when the bytes are no protobuf message.
 */
export function signaturesOf(metaGraph: Uint8Array): ReadSignature[] {
  const found: ReadSignature[] = [];
  forEachField(new BinaryReader(metaGraph), {
    5: (reader) => {
      const { name, value } = mapEntry(reader);
      if (name !== initSignature) found.push(readSignature(name, value));
    },
  });
  return found;
}

function readSignature(name: string, bytes: Uint8Array): ReadSignature {
  const inputs: TensorSpec[] = [];
  const outputs: TensorSpec[] = [];
  const unusable: string[] = [];
  let methodName = '';
  const addTo = (specs: TensorSpec[], what: string) => (reader: BinaryReader) => {
    const entry = mapEntry(reader);
    const spec = readTensorInfo(entry.name, entry.value);
    if (typeof spec === 'string') unusable.push(`${what} "${entry.name}" ${spec}`);
    else specs.push(spec);
  };
  forEachField(new BinaryReader(bytes), {
    1: addTo(inputs, 'input'),
    2: addTo(outputs, 'output'),
    3: (reader) => {
      methodName = reader.string();
    },
  });
  return unusable.length > 0
    ? { kind: 'unusable', name, because: unusable.join(', ') }
    : { kind: 'usable', signature: { name, inputs: byName(inputs), outputs: byName(outputs), methodName } };
}

/** A protobuf map has no order of its own; by name it is the same at every load. */
function byName(specs: TensorSpec[]): TensorSpec[] {
  return specs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The spec, or the rest of a sentence that says why there is none. */
function readTensorInfo(name: string, bytes: Uint8Array): TensorSpec | string {
  let tensorName = '';
  let number = 0;
  let shape: number[] | null = [];
  forEachField(new BinaryReader(bytes), {
    1: (reader) => {
      tensorName = reader.string();
    },
    2: (reader) => {
      number = reader.int32();
    },
    3: (reader) => {
      shape = readShape(reader.bytes());
    },
  });
  const datatype = datatypeOfNumber(number);
  if (tensorName === '') return 'is no plain tensor (sparse and composite tensors cannot be served)';
  if (!datatype) return `has TensorFlow data type ${number}, which no request can carry`;
  return { name, datatype, shape, tensorName };
}

function readShape(bytes: Uint8Array): number[] | null {
  const sizes: number[] = [];
  let isRankUnknown = false;
  forEachField(new BinaryReader(bytes), {
    2: (reader) => {
      sizes.push(readDimension(reader.bytes()));
    },
    3: (reader) => {
      isRankUnknown = reader.bool();
    },
  });
  return isRankUnknown ? null : sizes;
}

function readDimension(bytes: Uint8Array): number {
  let size = 0;
  forEachField(new BinaryReader(bytes), {
    1: (reader) => {
      size = Number(reader.int64());
    },
  });
  return size;
}

function mapEntry(reader: BinaryReader): { name: string; value: Uint8Array } {
  let name = '';
  let value = new Uint8Array();
  forEachField(new BinaryReader(reader.bytes()), {
    1: (entry) => {
      name = entry.string();
    },
    2: (entry) => {
      value = entry.bytes() as Uint8Array<ArrayBuffer>;
    },
  });
  return { name, value };
}

type FieldReaders = Readonly<Record<number, (reader: BinaryReader) => void>>;

/** Walks a message; a field without a reader is passed over. */
function forEachField(reader: BinaryReader, readers: FieldReaders): void {
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const read = readers[field];
    if (read) read(reader);
    else reader.skip(wireType, field);
  }
}
