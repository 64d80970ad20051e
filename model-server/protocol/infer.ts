/**
 * Inference in the Open Inference Protocol v2 over REST, with the binary tensor extension
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md).
 */
import { elementReader, elementWriter, fillFlat, newElements } from './elements.ts';
import { invalid } from './errors.ts';
import { describe, isObject, type JsonObject, optionalString, parseJsonObject } from './json.ts';
import { tensorFromBytes, tensorToBytes } from './raw.ts';
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

/** Header, in lower case, that says where the JSON ends and raw tensors begin. */
export const jsonLengthHeader = 'inference-header-content-length';

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: NamedTensors;
  /** By name, whether to be sent raw; undefined: all outputs, each as `isBinary` says. */
  readonly outputs: ReadonlyMap<string, boolean> | undefined;
  /** Whether outputs are to be sent raw where nothing else is said. */
  readonly isBinary: boolean;
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
  body: Uint8Array,
  jsonLength: string | undefined,
  signature: Signature,
): InferRequest {
  const header = jsonLength === undefined ? body.byteLength : headerLength(jsonLength, body.byteLength);
  if (header === 0 && jsonLength !== undefined) return rawRequest(body, signature);
  const request = parseJsonObject(body.subarray(0, header));
  const raw = new RawParts(body.subarray(header));
  const inputs = decodeInputs(request['inputs'], raw);
  raw.finish();
  return {
    id: optionalString(request, 'id'),
    inputs,
    outputs: decodeOutputs(request['outputs'], signature, isBinary(request, 'binary_data_output')),
    isBinary: isBinary(request, 'binary_data_output'),
  };
}

function headerLength(text: string, bodyLength: number): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(length))
    throw invalid('Inference-Header-Content-Length', `"${text}" found, a number of bytes expected`);
  if (length > bodyLength) {
    throw invalid('Inference-Header-Content-Length', `${length} found, but the body has ${bodyLength} bytes`);
  }
  return length;
}

/** The raw tensors behind the JSON, taken in the order of the inputs. */
class RawParts {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  take(size: number, field: string): Uint8Array {
    if (size > this.#rest.byteLength) {
      throw invalid(field, `${size} bytes announced, but only ${this.#rest.byteLength} are left in the body`);
    }
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }

  finish(): void {
    if (this.#rest.byteLength > 0)
      throw invalid('', `${this.#rest.byteLength} bytes found behind the last input`);
  }
}

/** One variable dimension at most can be worked out from the number of bytes. */
function rawRequest(body: Uint8Array, signature: Signature): InferRequest {
  const [spec, ...others] = signature.inputs;
  if (!spec || others.length > 0) {
    throw invalid(
      '',
      `a raw body is one tensor, and signature "${signature.name}" takes ${signature.inputs.length}`,
    );
  }
  const declared = spec.shape;
  if (!declared || declared.filter((size) => size === -1).length > 1) {
    throw invalid(
      '',
      `a raw body does not tell the shape of "${spec.name}", ${formatShape(declared)}; send JSON with the shape`,
    );
  }
  const row =
    tensorBytesPerUnit(spec.datatype) * elementCount(declared.map((size) => (size === -1 ? 1 : size)));
  const variable = spec.datatype === 'BYTES' ? 1 : Math.floor(body.byteLength / row);
  const shape = declared.map((size) => (size === -1 ? variable : size));
  const bytes = spec.datatype === 'BYTES' ? lengthPrefixed(body) : body;
  const tensor = tensorFromBytes(spec.datatype, shape, bytes, `inputs[0] "${spec.name}"`);
  return { id: undefined, inputs: new Map([[spec.name, tensor]]), outputs: undefined, isBinary: true };
}

const tensorBytesPerUnit = (datatype: Datatype) =>
  Math.max(1, Array.isArray(newElements(datatype, 1)) ? 1 : bytesOf(datatype));
const bytesOf = (datatype: Datatype) => (newElements(datatype, 1) as Uint8Array).BYTES_PER_ELEMENT;

function lengthPrefixed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.byteLength);
  new DataView(bytes.buffer).setUint32(0, body.byteLength, true);
  bytes.set(body, 4);
  return bytes;
}

function decodeInputs(inputs: unknown, raw: RawParts): NamedTensors {
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
    if (named.has(name)) throw invalid(`${field}.name`, `"${name}" is given twice`);
    named.set(name, decodeInput(input, raw, field));
  }
  return named;
}

function decodeInput(input: JsonObject, raw: RawParts, field: string): Tensor {
  const { datatype, data } = input;
  if (!isDatatype(datatype)) {
    throw invalid(
      `${field}.datatype`,
      `${JSON.stringify(datatype ?? null)} found, one of ${datatypes.join(', ')} expected`,
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
  return tensorFromJson(datatype, shape, data, `${field}.data`);
}

function tensorFromJson(datatype: Datatype, shape: number[], data: unknown, field: string): Tensor {
  const expected = elementCount(shape);
  const found = countUpTo(data, expected);
  if (found !== expected) {
    throw invalid(
      field,
      `${found > expected ? `more than ${expected}` : found} elements found, ${expected} expected for shape ${formatShape(shape)}`,
    );
  }
  const elements = newElements(datatype, expected);
  fillFlat(elements, data, elementReader(datatype), field);
  return { datatype, shape, data: elements } as Tensor;
}

/** Counts before memory is taken: a shape is only a claim. Stops as soon as there are too many. */
function countUpTo(data: unknown, most: number): number {
  let count = 0;
  const pending: unknown[] = [data];
  while (pending.length > 0 && count <= most) {
    const next = pending.pop();
    if (!Array.isArray(next)) count += next === undefined ? 0 : 1;
    else if (next.length > 0 && !Array.isArray(next[0]) && !next.some(Array.isArray)) count += next.length;
    else for (const item of next) pending.push(item);
  }
  return count;
}

function decodeShape(shape: unknown, field: string): number[] {
  const isShape =
    Array.isArray(shape) &&
    shape.length <= 16 &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape)
    throw invalid(field, `${JSON.stringify(shape ?? null)?.slice(0, 100)} found, a list of sizes expected`);
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
        `"${name}" is no output of signature "${signature.name}"; expected ${known.map((one) => `"${one}"`).join(', ')}`,
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
    if (!asRaw) return `${head},"data":[${flat(tensor)}]}`;
    const bytes = tensorToBytes(tensor);
    raw.push(bytes);
    return `${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const id = request.id === undefined ? '' : `,"id":${JSON.stringify(request.id)}`;
  const json = `{"model_name":${JSON.stringify(model.name)},"model_version":${JSON.stringify(model.version)}${id},"outputs":[${written.join(',')}]}`;
  return { json, raw, jsonLength: raw.length > 0 ? Buffer.byteLength(json) : undefined };
}

function flat(tensor: Tensor): string {
  const write = elementWriter(tensor);
  const tokens = new Array<string>(tensor.data.length);
  for (let index = 0; index < tokens.length; index++) tokens[index] = write(index);
  return tokens.join(',');
}
