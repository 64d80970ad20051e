/** Reads a TensorFlow.js model's files: `model.json`, and the weights as TensorFlow.js itself would decode them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHalf } from '../protocol/half.ts';
import { elementCount } from '../protocol/tensor.ts';
import { tfjsFile } from './detect.ts';
import { EngineError } from './engine.ts';
import { NotTranslatable } from './graph/not-translatable.ts';

/** Decoded: quantised floats are floats again. `values` are raw little-endian elements, or byte strings. */
export interface Weight {
  readonly dtype: 'float32' | 'int32' | 'bool' | 'string';
  readonly shape: readonly number[];
  readonly values: Uint8Array | readonly Uint8Array[];
}
export type Weights = ReadonlyMap<string, Weight>;

export interface TfjsFiles {
  /** `model.json`, parsed and not checked. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly weights: Weights;
}

interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: {
    readonly dtype: string;
    readonly scale?: number;
    readonly min?: number;
  };
}

/** A protocol buffer, which a graph is, has at most two gibibytes. */
const mostWeightBytes = 2 ** 31 - 2 ** 24;

/**
 * @throws NotTranslatable for weights that only TensorFlow.js understands, or too many for one graph.
 * @throws EngineError InvalidArgument when a file is missing.
 */
export async function readTfjsFiles(directory: string): Promise<TfjsFiles> {
  const document = JSON.parse(await read(directory, tfjsFile).then(String)) as TfjsFiles['document'];
  const groups = (document['weightsManifest'] ?? []) as { paths: string[]; weights: WeightSpec[] }[];
  const weights = new Map<string, Weight>();
  let total = 0;
  for (const { paths, weights: specs } of groups) {
    const shards: Buffer[] = [];
    for (const path of paths) shards.push(await read(directory, path));
    const [only] = shards;
    const bytes = shards.length === 1 && only ? only : Buffer.concat(shards);
    total += bytes.byteLength;
    let at = 0;
    for (const spec of specs) {
      const [weight, length] = decodeWeight(spec, bytes.subarray(at));
      weights.set(spec.name, weight);
      at += length;
    }
  }
  if (total > mostWeightBytes) throw new NotTranslatable('its weights exceed two gibibytes');
  return { document, weights };
}

function read(directory: string, file: string): Promise<Buffer> {
  return readFile(join(directory, file)).catch((error: Error) => {
    throw new EngineError('InvalidArgument', `${file} cannot be read: ${error.message}`);
  });
}

const bytesPerElement: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

/** @returns the weight, and how many bytes it took. */
export function decodeWeight(spec: WeightSpec, bytes: Uint8Array): [Weight, number] {
  const { name, shape, dtype, quantization } = spec;
  const count = elementCount(shape);
  if (dtype === 'string') return decodeStrings(spec, bytes, count);
  const width = bytesPerElement[quantization?.dtype ?? dtype];
  if (width === undefined || !(dtype === 'float32' || dtype === 'int32' || dtype === 'bool')) {
    throw new NotTranslatable(`the weight "${name}" is ${quantization?.dtype ?? dtype}`);
  }
  const length = count * width;
  if (length > bytes.byteLength) {
    throw new EngineError(
      'InvalidArgument',
      `the weight "${name}" needs ${length} bytes of its file, which has ${bytes.byteLength} left`,
    );
  }
  const stored = bytes.subarray(0, length);
  const values = quantization ? dequantised(spec, quantization, stored, count) : stored;
  return [{ dtype, shape, values }, length];
}

function dequantised(
  { name, dtype }: WeightSpec,
  { dtype: stored, scale, min }: NonNullable<WeightSpec['quantization']>,
  bytes: Uint8Array,
  count: number,
): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const element = (i: number) => (stored === 'uint8' ? view.getUint8(i) : view.getUint16(2 * i, true));
  const isFloat = dtype === 'float32';
  const values = isFloat ? new Float32Array(count) : new Int32Array(count);
  if (stored === 'float16' && isFloat) {
    for (let i = 0; i < count; i++) values[i] = fromHalf(element(i));
  } else if (stored !== 'float16' && dtype !== 'bool' && scale !== undefined && min !== undefined) {
    for (let i = 0; i < count; i++) {
      const value = element(i) * scale + min;
      values[i] = isFloat ? value : Math.round(value);
    }
  } else throw new NotTranslatable(`the weight "${name}" is ${dtype} quantised as ${stored}`);
  return new Uint8Array(values.buffer);
}

/** Each behind its length, of four bytes. */
function decodeStrings({ name, shape }: WeightSpec, bytes: Uint8Array, count: number): [Weight, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = at + 4 <= bytes.byteLength ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.byteLength)
      throw new EngineError('InvalidArgument', `the weight "${name}" is cut off in its file`);
    values.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return [{ dtype: 'string', shape, values }, at];
}
