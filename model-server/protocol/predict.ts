/**
 * Prediction in TensorFlow Serving's REST API, row format (`instances`) and column format (`inputs`)
 * (https://www.tensorflow.org/tfx/serving/api_rest#predict_api).
 */
import {
  elementReader,
  elementWriter,
  fillNested,
  isBase64,
  nestedShape,
  newElements,
  requireShape,
} from './elements.ts';
import { invalid, ProtocolError } from './errors.ts';
import { describe, isObject, type JsonObject, optionalString, parseJsonObject } from './json.ts';
import {
  elementCount,
  formatShape,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorSpec,
} from './tensor.ts';

export interface PredictRequest {
  readonly signature: string;
  readonly inputs: NamedTensors;
  /** Rows in the request, in row format; the answer has as many. */
  readonly rows: number | undefined;
}

/**
 * @param signatureOf the signature of this name; throws ProtocolError when there is none
 * @throws ProtocolError InvalidArgument
 */
export function decodePredict(
  body: Uint8Array,
  defaultSignature: string,
  signatureOf: (name: string) => Signature,
): PredictRequest {
  const request = parseJsonObject(body);
  const name = optionalString(request, 'signature_name') || defaultSignature;
  const signature = signatureOf(name);
  const { instances, inputs } = request;
  if ((instances === undefined) === (inputs === undefined)) {
    throw invalid(
      '',
      `the body has ${inputs === undefined ? 'neither' : 'both'} "instances" ${inputs === undefined ? 'nor' : 'and'} "inputs", exactly one was expected`,
    );
  }
  return instances === undefined
    ? { signature: name, inputs: decodeColumns(inputs, signature), rows: undefined }
    : { signature: name, ...decodeRows(instances, signature) };
}

function decodeRows(instances: unknown, signature: Signature): Pick<PredictRequest, 'inputs' | 'rows'> {
  if (!Array.isArray(instances) || instances.length === 0) {
    throw invalid('instances', `${describe(instances)} found, a list of at least one row expected`);
  }
  const isNamed = isObject(instances[0]) && !isBase64(instances[0]);
  const columns = isNamed
    ? columnsOf(instances, signature)
    : new Map([[onlyInput(signature, 'instances').name, instances]]);
  const inputs = new Map<string, Tensor>();
  for (const spec of signature.inputs) {
    inputs.set(
      spec.name,
      tensorOf(spec, columns.get(spec.name), isNamed ? `instances "${spec.name}"` : 'instances'),
    );
  }
  return { inputs, rows: instances.length };
}

/** One list per input out of a list of rows. */
function columnsOf(rows: readonly unknown[], signature: Signature): Map<string, unknown[]> {
  const names = signature.inputs.map(({ name }) => name);
  const columns = new Map(names.map((name) => [name, [] as unknown[]]));
  for (const [index, row] of rows.entries()) {
    if (!isObject(row))
      throw invalid(
        `instances[${index}]`,
        `${describe(row)} found, an object with ${listed(names)} expected as in the first row`,
      );
    refuseOthers(row, names, `instances[${index}]`, signature);
    for (const name of names) {
      if (row[name] === undefined) throw invalid(`instances[${index}]`, `input "${name}" is missing`);
      columns.get(name)!.push(row[name]);
    }
  }
  return columns;
}

function decodeColumns(inputs: unknown, signature: Signature): NamedTensors {
  const names = signature.inputs.map(({ name }) => name);
  const isNamed = isObject(inputs) && !isBase64(inputs);
  if (!isNamed) {
    const spec = onlyInput(signature, 'inputs');
    return new Map([[spec.name, tensorOf(spec, inputs, 'inputs')]]);
  }
  refuseOthers(inputs, names, 'inputs', signature);
  const tensors = new Map<string, Tensor>();
  for (const spec of signature.inputs) {
    if (inputs[spec.name] === undefined)
      throw invalid(
        'inputs',
        `input "${spec.name}" is missing; signature "${signature.name}" takes ${listed(names)}`,
      );
    tensors.set(spec.name, tensorOf(spec, inputs[spec.name], `inputs.${spec.name}`));
  }
  return tensors;
}

function refuseOthers(
  object: JsonObject,
  names: readonly string[],
  field: string,
  signature: Signature,
): void {
  const other = Object.keys(object).find((name) => !names.includes(name));
  if (other !== undefined) {
    throw invalid(
      field,
      `"${other.slice(0, 100)}" is no input of signature "${signature.name}"; expected ${listed(names)}`,
    );
  }
}

function onlyInput(signature: Signature, field: string): TensorSpec {
  const [spec, ...others] = signature.inputs;
  if (!spec || others.length > 0) {
    throw invalid(
      field,
      `values without names found, but signature "${signature.name}" takes ${listed(signature.inputs.map(({ name }) => name))}`,
    );
  }
  return spec;
}

/** The shape is what the lists say; whether the model takes it is checked by the engine. */
function tensorOf(spec: TensorSpec, value: unknown, field: string): Tensor {
  const shape = nestedShape(value, field);
  requireShape(value, shape, field);
  const elements = newElements(spec.datatype, elementCount(shape));
  fillNested(elements, value, shape, elementReader(spec.datatype), field);
  return { datatype: spec.datatype, shape, data: elements } as Tensor;
}

/**
 * `{"predictions": …}` in row format, `{"outputs": …}` in column format. Outputs whose name ends in `_bytes` are
 * written as `{"b64": …}`.
 * @throws ProtocolError when an output cannot be divided into the rows of the request
 */
export function encodePredict({ rows }: Pick<PredictRequest, 'rows'>, outputs: NamedTensors): string {
  const written = [...outputs].map(([name, tensor]) => ({
    name,
    tensor,
    write: elementWriter(tensor, name.endsWith('_bytes')),
  }));
  const single = written.length === 1 ? written[0]! : undefined;
  if (rows === undefined) {
    if (single) return `{"outputs":${nested(single.tensor, single.write)}}`;
    return `{"outputs":{${written.map(({ name, tensor, write }) => `${JSON.stringify(name)}:${nested(tensor, write)}`).join(',')}}}`;
  }
  for (const { name, tensor } of written) {
    if (tensor.shape[0] !== rows) {
      throw new ProtocolError(
        'InvalidArgument',
        'instances',
        `output "${name}" has shape ${formatShape(tensor.shape)}, which is not one row for each of ${rows}; use the column format ("inputs")`,
      );
    }
  }
  const predictions = Array.from({ length: rows }, (_, row) => {
    if (single) return nested(single.tensor, single.write, row);
    return `{${written.map(({ name, tensor, write }) => `${JSON.stringify(name)}:${nested(tensor, write, row)}`).join(',')}}`;
  });
  return `{"predictions":[${predictions.join(',')}]}`;
}

/** The whole tensor, or one row of it, as nested lists. */
function nested({ shape }: Tensor, write: (index: number) => string, row?: number): string {
  const inner = row === undefined ? shape : shape.slice(1);
  let next = row === undefined ? 0 : row * elementCount(inner);
  const walk = (dimension: number): string => {
    if (dimension === inner.length) return write(next++);
    return `[${Array.from({ length: inner[dimension]! }, () => walk(dimension + 1)).join(',')}]`;
  };
  return walk(0);
}

const listed = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
