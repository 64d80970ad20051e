/**
 * Inference in the Open Inference Protocol over gRPC
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto):
 * messages to tensors and back. Raw bytes are copied once, as a block; the answer is raw where the request was, and
 * where an output has a datatype (FP16, BF16) that typed contents cannot carry. Pure.
 */
import { create } from '@bufbuild/protobuf';
import {
  type InferParameter,
  type InferTensorContents,
  InferTensorContentsSchema,
  type ModelInferRequest,
  type ModelInferRequest_InferInputTensor,
  type ModelInferResponse,
  ModelInferResponseSchema,
} from '../grpc/generated/inference_pb.js';
import { rangeOf } from './cast.ts';
import { invalid, quoted } from './errors.ts';
import { timeoutOf } from './infer.ts';
import { type Priority, priorityOf } from './priority.ts';
import { tensorFromBytes, tensorToBytes } from './raw.ts';
import { maxByteStrings, maxDimensions, newElements } from './read-tensor.ts';
import {
  type Datatype,
  datatypes,
  elementCount,
  formatShape,
  isDatatype,
  type NamedTensors,
  type Signature,
  type Tensor,
} from './tensor.ts';

export interface GrpcInferRequest {
  readonly id: string;
  readonly inputs: NamedTensors;
  /** Outputs that were asked for, in this order; undefined: all. */
  readonly outputs: readonly string[] | undefined;
  /** Whether the answer's tensors are to be raw bytes. */
  readonly isRaw: boolean;
  /** How long the request may wait. */
  readonly timeoutSeconds: number | undefined;
  readonly priority: Priority | undefined;
}

/** The field of `InferTensorContents` that carries a datatype; none for FP16 and BF16. */
const contentFields = {
  BOOL: 'boolContents',
  INT8: 'intContents',
  INT16: 'intContents',
  INT32: 'intContents',
  INT64: 'int64Contents',
  UINT8: 'uintContents',
  UINT16: 'uintContents',
  UINT32: 'uintContents',
  UINT64: 'uint64Contents',
  FP16: undefined,
  BF16: undefined,
  FP32: 'fp32Contents',
  FP64: 'fp64Contents',
  BYTES: 'bytesContents',
} as const satisfies Record<Datatype, keyof InferTensorContents | undefined>;

type ContentField = NonNullable<(typeof contentFields)[Datatype]>;
const allContentFields = [...new Set(Object.values(contentFields))].filter(
  (field): field is ContentField => field !== undefined,
);

/** @throws ProtocolError InvalidArgument */
export function decodeGrpcInfer(message: ModelInferRequest, signature: Signature): GrpcInferRequest {
  const raw = message.rawInputContents;
  if (message.inputs.length === 0) throw invalid('inputs', 'none found, at least one expected');
  if (raw.length > 0 && raw.length !== message.inputs.length) {
    throw invalid(
      'raw_input_contents',
      `${raw.length} found, one for each of ${message.inputs.length} inputs expected`,
    );
  }
  const inputs = new Map<string, Tensor>();
  for (const [index, input] of message.inputs.entries()) {
    const field = `inputs[${index}]`;
    if (inputs.has(input.name)) throw invalid(`${field}.name`, `${quoted(input.name)} is given twice`);
    inputs.set(input.name, decodeTensor(input, raw[index], field));
  }
  return {
    id: message.id,
    inputs,
    outputs: decodeOutputs(message, signature),
    isRaw: raw.length > 0 || isTrue(message.parameters['binary_data_output']),
    timeoutSeconds: timeoutOf(message.parameters['timeout']?.parameterChoice.value),
    priority: priorityOf(message.parameters['priority']?.parameterChoice.value),
  };
}

/** A tensor of its own, from raw bytes where there are any, else from typed contents. */
export function decodeTensor(
  {
    datatype,
    shape: sizes,
    contents,
  }: Pick<ModelInferRequest_InferInputTensor, 'datatype' | 'shape' | 'contents'>,
  raw: Uint8Array | undefined,
  field: string,
): Tensor {
  if (!isDatatype(datatype)) {
    throw invalid(`${field}.datatype`, `${quoted(datatype)} found, one of ${datatypes.join(', ')} expected`);
  }
  const shape = decodeShape(sizes, `${field}.shape`);
  if (raw === undefined) return fromContents(datatype, shape, contents, `${field}.contents`);
  if (contents && allContentFields.some((name) => contents[name].length > 0)) {
    throw invalid(`${field}.contents`, 'contents and raw_input_contents exclude each other');
  }
  return tensorFromBytes(datatype, shape, raw, field);
}

function decodeShape(sizes: readonly bigint[], field: string): number[] {
  if (sizes.length > maxDimensions) {
    throw invalid(field, `${sizes.length} dimensions found, at most ${maxDimensions} are possible`);
  }
  const shape = sizes.map(Number);
  const wrong = shape.findIndex((size) => !Number.isSafeInteger(size) || size < 0);
  if (wrong >= 0) {
    throw invalid(`${field}[${wrong}]`, `${sizes[wrong]} found, a whole number from 0 to 2^53 - 1 expected`);
  }
  if (!Number.isSafeInteger(elementCount(shape))) throw invalid(field, `${formatShape(shape)} is too large`);
  return shape;
}

function fromContents(
  datatype: Datatype,
  shape: readonly number[],
  contents: InferTensorContents | undefined,
  field: string,
): Tensor {
  const name = contentFields[datatype];
  if (name === undefined) {
    throw invalid(field, `${datatype} found, which only raw_input_contents can carry`);
  }
  const other = contents && allContentFields.find((each) => each !== name && contents[each].length > 0);
  if (other !== undefined) {
    throw invalid(`${field}.${inProto(other)}`, `found for ${datatype}, ${inProto(name)} expected`);
  }
  const values: readonly unknown[] = contents?.[name] ?? [];
  const expected = elementCount(shape);
  if (values.length !== expected) {
    throw invalid(
      `${field}.${inProto(name)}`,
      `${values.length} elements found, ${expected} expected for shape ${formatShape(shape)}`,
    );
  }
  if (datatype === 'BYTES') return { datatype, shape, data: ownStrings(values as Uint8Array[], field) };
  const data = newElements(datatype, expected);
  const range = rangeOf(datatype);
  const isInteger = datatype.startsWith('INT') || datatype.startsWith('UINT');
  for (let index = 0; index < expected; index++) {
    const given = values[index] as number | bigint | boolean;
    const value = typeof given === 'boolean' ? Number(given) : given;
    if (isInteger && range && (value < range.least || value > range.greatest)) {
      throw invalid(`${field}.${inProto(name)}[${index}]`, `${value} found, which ${datatype} cannot hold`);
    }
    data[index] = value as never;
  }
  return { datatype, shape, data } as Tensor;
}

/** Copies, since what protobuf gives are views of the whole message. */
function ownStrings(strings: readonly Uint8Array[], field: string): Uint8Array[] {
  if (strings.length > maxByteStrings) {
    throw invalid(
      field,
      `${strings.length} byte strings found, at most ${maxByteStrings} are taken in one request`,
    );
  }
  return strings.map((bytes) => Uint8Array.prototype.slice.call(bytes));
}

function decodeOutputs({ outputs }: ModelInferRequest, signature: Signature): readonly string[] | undefined {
  if (outputs.length === 0) return undefined;
  const known = signature.outputs.map(({ name }) => name);
  const names = new Set<string>();
  for (const [index, { name }] of outputs.entries()) {
    if (!known.includes(name)) {
      throw invalid(
        `outputs[${index}].name`,
        `${quoted(name)} is no output of signature "${signature.name}"; expected ${known.map((one) => `"${one}"`).join(', ')}`,
      );
    }
    names.add(name);
  }
  return [...names];
}

const isTrue = (parameter: InferParameter | undefined) => parameter?.parameterChoice.value === true;

/** `fp32Contents` as it stands in the protocol: `fp32_contents`. */
const inProto = (field: string) => field.replace('Contents', '_contents');

/** Writes the outputs that were asked for, in the order asked for. */
export function encodeGrpcInfer(
  model: { readonly name: string; readonly version: string },
  request: Pick<GrpcInferRequest, 'id' | 'outputs' | 'isRaw'>,
  outputs: NamedTensors,
): ModelInferResponse {
  const names = request.outputs ?? [...outputs.keys()];
  const tensors = names.map((name) => outputs.get(name) as Tensor);
  const isRaw = request.isRaw || tensors.some(({ datatype }) => contentFields[datatype] === undefined);
  return create(ModelInferResponseSchema, {
    modelName: model.name,
    modelVersion: model.version,
    id: request.id,
    outputs: tensors.map((tensor, index) => ({
      name: names[index] as string,
      datatype: tensor.datatype,
      shape: tensor.shape.map(BigInt),
      ...(isRaw ? {} : { contents: contentsOf(tensor) }),
    })),
    rawOutputContents: isRaw ? tensors.map(tensorToBytes) : [],
  });
}

/** @param tensor of any datatype but FP16 and BF16. */
export function contentsOf(tensor: Tensor): InferTensorContents {
  const values =
    tensor.datatype === 'BOOL' ? Array.from(tensor.data, Boolean) : Array.from(tensor.data as Uint8Array);
  return create(InferTensorContentsSchema, { [contentFields[tensor.datatype] as ContentField]: values });
}
