/**
 * Prediction in TensorFlow Serving's REST API, row format (`instances`) and column format (`inputs`)
 * (https://www.tensorflow.org/tfx/serving/api_rest#predict_api).
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
import { isBase64 } from './leaves.ts';
import { NumberList } from './number-list.ts';
import { tensorFromNested } from './read-tensor.ts';
import { formatShape, type NamedTensors, type Signature, type Tensor, type TensorSpec } from './tensor.ts';
import { base64Object, nestedLists, textOf } from './write-tensor.ts';

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
  body: JsonBody,
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
  if (instances instanceof NumberList) {
    const { name, datatype } = onlyInput(signature, 'instances');
    const tensor = tensorFromNested(datatype, instances, 'instances');
    return { inputs: new Map([[name, tensor]]), rows: instances.shape[0] };
  }
  if (!Array.isArray(instances) || instances.length === 0) {
    throw invalid('instances', `${describe(instances)} found, a list of at least one row expected`);
  }
  const isNamed = isObject(instances[0]) && !isBase64(instances[0]);
  const columns: ReadonlyMap<string, unknown> = isNamed
    ? columnsOf(instances, signature)
    : new Map([[onlyInput(signature, 'instances').name, instances]]);
  const inputs = new Map<string, Tensor>();
  for (const spec of signature.inputs) {
    inputs.set(
      spec.name,
      tensorFromNested(
        spec.datatype,
        columns.get(spec.name),
        isNamed ? `instances ${quoted(spec.name)}` : 'instances',
      ),
    );
  }
  return { inputs, rows: instances.length };
}

/** One list per input out of a list of rows. */
function columnsOf(rows: readonly unknown[], signature: Signature): Map<string, unknown> {
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
  return new Map([...columns].map(([name, column]) => [name, stacked(column)]));
}

/** A column of lists of numbers as one of them. */
function stacked(column: readonly unknown[]): unknown {
  const plain = (value: unknown) => (value instanceof NumberList ? value.plain() : value);
  return NumberList.stacked(column) ?? column.map(plain);
}

function decodeColumns(inputs: unknown, signature: Signature): NamedTensors {
  const names = signature.inputs.map(({ name }) => name);
  const isNamed = isObject(inputs) && !isBase64(inputs);
  if (!isNamed) {
    const spec = onlyInput(signature, 'inputs');
    return new Map([[spec.name, tensorFromNested(spec.datatype, inputs, 'inputs')]]);
  }
  refuseOthers(inputs, names, 'inputs', signature);
  const tensors = new Map<string, Tensor>();
  for (const spec of signature.inputs) {
    if (inputs[spec.name] === undefined)
      throw invalid(
        'inputs',
        `input "${spec.name}" is missing; signature "${signature.name}" takes ${listed(names)}`,
      );
    tensors.set(spec.name, tensorFromNested(spec.datatype, inputs[spec.name], `inputs.${spec.name}`));
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
      `${quoted(other)} is no input of signature "${signature.name}"; expected ${listed(names)}`,
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

/**
 * `{"predictions": …}` in row format, `{"outputs": …}` in column format. Outputs whose name ends in `_bytes`, and
 * elements that are no text, are written as `{"b64": …}`.
 * @throws ProtocolError when an output cannot be divided into the rows of the request
 */
export function encodePredict({ rows }: Pick<PredictRequest, 'rows'>, outputs: NamedTensors): string {
  const written = [...outputs].map(([name, tensor]) => ({
    name,
    tensor,
    bytes: name.endsWith('_bytes') ? base64Object : textOrBase64,
  }));
  const single = written.length === 1 ? written[0]! : undefined;
  if (rows === undefined) {
    if (single) return `{"outputs":${nestedLists(single.tensor, single.bytes)}}`;
    return `{"outputs":{${written.map(({ name, tensor, bytes }) => `${JSON.stringify(name)}:${nestedLists(tensor, bytes)}`).join(',')}}}`;
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
  if (single) return `{"predictions":${nestedLists(single.tensor, single.bytes)}}`;
  const predictions = Array.from({ length: rows }, (_, row) => {
    return `{${written.map(({ name, tensor, bytes }) => `${JSON.stringify(name)}:${nestedLists(tensor, bytes, row)}`).join(',')}}`;
  });
  return `{"predictions":[${predictions.join(',')}]}`;
}

/** What is no text would arrive as something else, so it is written as if its name ended in `_bytes`. */
function textOrBase64(bytes: Uint8Array): string {
  const text = textOf(bytes);
  return text === undefined ? base64Object(bytes) : JSON.stringify(text);
}

const listed = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
