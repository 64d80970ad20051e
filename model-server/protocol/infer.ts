/**
 * Inference in the Open Inference Protocol v2 over REST, with the binary tensor extension
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md).
 */
import { invalid, ProtocolError, quoted } from './errors.ts';
import {
  describe,
  isObject,
  type JsonBody,
  type JsonObject,
  optionalString,
  parseJsonObject,
} from './json.ts';
import { NumberList } from './number-list.ts';
import { type Priority, priorityOf } from './priority.ts';
import { tensorFromBytes, tensorToBytes } from './raw.ts';
import { inputOfRawBody, RawParts } from './raw-request.ts';
import { maxDimensions, tensorFromList } from './read-tensor.ts';
import {
  datatypes,
  elementCount,
  formatShape,
  isDatatype,
  type NamedTensors,
  type Signature,
  type Tensor,
} from './tensor.ts';
import { flatList, textOf } from './write-tensor.ts';

/** Header, in lower case, that says where the JSON ends and raw tensors begin. */
export const jsonLengthHeader = 'inference-header-content-length';

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: NamedTensors;
  /** By name, whether to be sent raw; undefined: all outputs, each as `isBinary` says. */
  readonly outputs: ReadonlyMap<string, boolean> | undefined;
  /** Whether outputs are to be sent raw where nothing else is said. */
  readonly isBinary: boolean;
  /** How long the request may wait; undefined: as long as any. */
  readonly timeoutSeconds?: number | undefined;
  readonly priority?: Priority | undefined;
}

/** A body in two parts; `jsonLength` is undefined when there are no raw tensors. */
export interface InferBody {
  readonly json: string;
  readonly raw: readonly Uint8Array[];
  readonly jsonLength: number | undefined;
}

/**
 * @param jsonLength value of the header `Inference-Header-Content-Length`, undefined when absent; 0: the whole body is
 * the one input of the signature
 * @throws ProtocolError InvalidArgument
 */
export function decodeInfer(
  body: JsonBody,
  jsonLength: string | undefined,
  signature: Signature,
): InferRequest {
  const bytes = body instanceof Uint8Array ? body : body.bytes;
  const header = jsonLength === undefined ? bytes.byteLength : headerLength(jsonLength, bytes.byteLength);
  if (header === 0 && jsonLength !== undefined) {
    return { id: undefined, inputs: inputOfRawBody(bytes, signature), outputs: undefined, isBinary: true };
  }
  const request = parseJsonObject(jsonLength === undefined ? body : bytes.subarray(0, header));
  const raw = new RawParts(bytes.subarray(header));
  const inputs = decodeInputs(request['inputs'], raw);
  raw.finish();
  return {
    id: optionalString(request, 'id'),
    inputs,
    outputs: decodeOutputs(request['outputs'], signature, isBinary(request, 'binary_data_output')),
    isBinary: isBinary(request, 'binary_data_output'),
    timeoutSeconds: timeoutOf(parameter(request, 'timeout')),
    priority: priorityOf(parameter(request, 'priority')),
  };
}

/**
 * Triton's request parameter `timeout`: microseconds that a request may wait; 0 means nothing.
 * @throws ProtocolError InvalidArgument
 */
export function timeoutOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const microseconds = typeof value === 'bigint' ? Number(value) : value;
  if (typeof microseconds !== 'number' || !(microseconds >= 0)) {
    const found = typeof value === 'bigint' ? `the number ${value}` : describe(value);
    throw invalid('parameters.timeout', `${found} found, a number of microseconds expected`);
  }
  return microseconds === 0 ? undefined : microseconds / 1e6;
}

function headerLength(text: string, bodyLength: number): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(length))
    throw invalid('Inference-Header-Content-Length', `${quoted(text)} found, a number of bytes expected`);
  if (length > bodyLength) {
    throw invalid('Inference-Header-Content-Length', `${length} found, but the body has ${bodyLength} bytes`);
  }
  return length;
}

function decodeInputs(found: unknown, raw: RawParts): NamedTensors {
  const inputs = found instanceof NumberList ? found.plain() : found;
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw invalid('inputs', `${describe(inputs)} found, a list of at least one input expected`);
  }
  const named = new Map<string, Tensor>();
  for (const [index, input] of inputs.entries()) {
    const field = `inputs[${index}]`;
    if (!isObject(input)) throw invalid(field, `${describe(input)} found, an object expected`);
    const name = input['name'];
    if (typeof name !== 'string')
      throw invalid(`${field}.name`, `${describe(name)} found, a string expected`);
    if (named.has(name)) throw invalid(`${field}.name`, `${quoted(name)} is given twice`);
    named.set(name, decodeInput(input, raw, field));
  }
  return named;
}

function decodeInput(input: JsonObject, raw: RawParts, field: string): Tensor {
  const { datatype, data } = input;
  if (!isDatatype(datatype)) {
    throw invalid(
      `${field}.datatype`,
      `${typeof datatype === 'string' ? quoted(datatype) : describe(datatype)} found, one of ${datatypes.join(', ')} expected`,
    );
  }
  const shape = decodeShape(input['shape'], `${field}.shape`);
  const size = parameter(input, 'binary_data_size');
  if (size !== undefined) {
    if (data !== undefined) throw invalid(`${field}.data`, 'data and binary_data_size exclude each other');
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw invalid(
        `${field}.parameters.binary_data_size`,
        `${describe(size)} found, a number of bytes expected`,
      );
    }
    return tensorFromBytes(datatype, shape, raw.take(size as number, field), field);
  }
  return tensorFromList(datatype, shape, data, `${field}.data`);
}

function decodeShape(shape: unknown, field: string): number[] {
  if (!Array.isArray(shape) || shape.length > maxDimensions)
    throw invalid(field, `${describe(shape)} found, a list of at most ${maxDimensions} sizes expected`);
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  const wrong = shape.findIndex((size) => !isSize(size));
  if (wrong >= 0) {
    const found = describe(shape[wrong]);
    throw invalid(`${field}[${wrong}]`, `${found} found, a whole number from 0 to 2^53 - 1 expected`);
  }
  if (!Number.isSafeInteger(elementCount(shape))) throw invalid(field, `${formatShape(shape)} is too large`);
  return shape;
}

function decodeOutputs(
  outputs: unknown,
  signature: Signature,
  isBinaryByDefault: boolean,
): InferRequest['outputs'] {
  if (outputs === undefined || outputs === null) return undefined;
  if (!Array.isArray(outputs)) throw invalid('outputs', `${describe(outputs)} found, a list expected`);
  if (outputs.length === 0) return undefined;
  const known = signature.outputs.map(({ name }) => name);
  const wanted = new Map<string, boolean>();
  for (const [index, output] of outputs.entries()) {
    const field = `outputs[${index}]`;
    const name = isObject(output) ? output['name'] : undefined;
    if (!isObject(output) || typeof name !== 'string')
      throw invalid(`${field}.name`, `${describe(name)} found, a string expected`);
    if (!known.includes(name)) {
      throw invalid(
        `${field}.name`,
        `${quoted(name)} is no output of signature "${signature.name}"; expected ${known.map((one) => `"${one}"`).join(', ')}`,
      );
    }
    const own = parameter(output, 'binary_data');
    wanted.set(name, own === undefined ? isBinaryByDefault : own === true);
  }
  return wanted;
}

function parameter(object: JsonObject, name: string): unknown {
  const parameters = object['parameters'];
  return isObject(parameters) ? parameters[name] : undefined;
}

const isBinary = (object: JsonObject, name: string) => parameter(object, name) === true;

/** Writes the outputs that were asked for, in the order asked for. */
export function encodeInfer(
  model: { readonly name: string; readonly version: string },
  request: Pick<InferRequest, 'id' | 'outputs' | 'isBinary'>,
  outputs: NamedTensors,
): InferBody {
  const raw: Uint8Array[] = [];
  const wanted = request.outputs ?? new Map([...outputs.keys()].map((name) => [name, request.isBinary]));
  const written = [...wanted].map(([name, asRaw]) => {
    const tensor = outputs.get(name)!;
    const head = `{"name":${JSON.stringify(name)},"shape":[${tensor.shape.join(',')}],"datatype":"${tensor.datatype}"`;
    if (!asRaw) return `${head},"data":${flatList(tensor, (bytes) => textOutput(name, bytes))}}`;
    const bytes = tensorToBytes(tensor);
    raw.push(bytes);
    return `${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const id = request.id === undefined ? '' : `,"id":${JSON.stringify(request.id)}`;
  const json = `{"model_name":${JSON.stringify(model.name)},"model_version":${JSON.stringify(model.version)}${id},"outputs":[${written.join(',')}]}`;
  return { json, raw, jsonLength: raw.length > 0 ? Buffer.byteLength(json) : undefined };
}

/** BYTES in JSON are strings; what is no text would arrive as something else. */
function textOutput(name: string, bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text !== undefined) return JSON.stringify(text);
  throw new ProtocolError(
    'InvalidArgument',
    'outputs',
    `output ${quoted(name)} has bytes that are no UTF-8 text; ask for it with "parameters":{"binary_data":true}`,
  );
}
