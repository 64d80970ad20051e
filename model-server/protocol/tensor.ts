/**
 * Tensors as every part of the model server passes them: one contiguous row-major typed array, a shape, and a
 * datatype of the Open Inference Protocol v2.
 */

/** Open Inference Protocol datatypes. */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'BF16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** The array that holds each datatype's elements. BOOL is one byte, 0 or 1; FP16 and BF16 are raw bits. */
export interface TensorArrays {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  BF16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  /** One byte string per element. */
  BYTES: Uint8Array[];
}

/** A value. `data` has exactly `elementCount(shape)` elements, row-major; shape `[]` is a scalar. */
export type Tensor = {
  [D in Datatype]: {
    readonly datatype: D;
    readonly shape: readonly number[];
    readonly data: TensorArrays[D];
  };
}[Datatype];

/** Named tensors in the order in which the client or the model gave them. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** What a model takes or gives under one name. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 is a variable dimension; `null` says that the model leaves even the rank open. */
  readonly shape: readonly number[] | null;
  /** The graph's own tensor, such as `serving_default_x:0`; only shown in TensorFlow Serving metadata. */
  readonly tensorName: string;
}

/** One callable entry of a model, such as `serving_default`. Orders are the model's own. */
export interface Signature {
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** TensorFlow's method name, such as `tensorflow/serving/predict`. */
  readonly methodName: string;
}

/** Bytes per element; 0 for BYTES, whose elements vary. */
export const datatypeBytes: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
};

export const datatypes = Object.keys(datatypeBytes) as readonly Datatype[];

export function isDatatype(value: unknown): value is Datatype {
  return typeof value === 'string' && Object.hasOwn(datatypeBytes, value);
}

/** Product of the dimensions; 1 for a scalar. Not a safe integer when the shape is absurd: check before use. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `[-1,32,32,3]`, the way shapes are written in messages. */
export function formatShape(shape: readonly number[] | null): string {
  return shape === null ? '[…] (any rank)' : `[${shape.join(',')}]`;
}

/**
 * Whether requests to this signature may be joined along dimension 0: every input and output has a variable
 * first dimension, so row i of each output belongs to row i of each input.
 */
export function isBatchable(signature: Signature): boolean {
  const specs = [...signature.inputs, ...signature.outputs];
  return signature.inputs.length > 0 && specs.every((spec) => spec.shape !== null && spec.shape[0] === -1);
}
