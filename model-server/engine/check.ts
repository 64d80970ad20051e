/**
 * Inputs against a signature, before native code sees them: a tensor of a wrong rank can abort TensorFlow's whole
 * process, and one of a wrong size can be answered with nonsense. Pure.
 *
 * What passes: exactly the named inputs, each of the declared rank and sizes, with as many elements as its shape
 * says. Datatypes may differ where `cast` loses nothing. NaN and infinities pass: they are values, and many models
 * take NaN for "not measured". A dimension of size 0 is refused unless the model itself fixes it at 0, since an
 * empty tensor has no answer worth the risk that kernels take with it.
 */
import { cast } from '../protocol/cast.ts';
import { quoted } from '../protocol/errors.ts';
import {
  datatypeBytes,
  elementCount,
  formatShape,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../protocol/tensor.ts';
import { EngineError } from './engine.ts';

/** TensorFlow's own limit (TensorShape::MaxDimensions). */
const maxRank = 254;

/**
 * The inputs in the signature's order and datatypes; the same tensors where nothing had to be cast.
 *
 * @throws EngineError InvalidArgument with a sentence such as
 * `inputs[0] "image": shape [31,32,3] found, [-1,32,32,3] expected`.
 */
export function checkInputs(signature: Signature, inputs: NamedTensors): NamedTensors {
  let index = 0;
  const places = new Map<string, string>();
  for (const name of inputs.keys()) places.set(name, `inputs[${index++}] ${quoted(name)}`);
  const checked = new Map<string, Tensor>();
  for (const spec of signature.inputs) {
    const tensor = inputs.get(spec.name);
    const place = places.get(spec.name);
    if (tensor === undefined || place === undefined) throw wrongNames(signature, inputs);
    checked.set(spec.name, checkTensor(spec, tensor, place));
  }
  if (inputs.size !== checked.size) throw wrongNames(signature, inputs);
  return checked;
}

function checkTensor(spec: TensorSpec, tensor: Tensor, place: string): Tensor {
  const shapeProblem = shapeMismatch(spec, tensor.shape);
  if (shapeProblem !== undefined) throw invalid(`${place}: ${shapeProblem}`);
  const elements = elementCount(tensor.shape);
  if (tensor.data.length !== elements) {
    throw invalid(
      `${place}: ${tensor.data.length} elements found, ${elements} expected for shape ${formatShape(tensor.shape)}`,
    );
  }
  const result = cast(tensor, spec.datatype);
  if (typeof result === 'string') throw invalid(`${place}: ${result}`);
  if (result.datatype === 'BOOL') {
    const wrong = result.data.findIndex((value) => value > 1);
    if (wrong >= 0) throw invalid(`${place}: element ${wrong} is ${result.data[wrong]}, a BOOL is 0 or 1`);
  }
  return result;
}

/** Why a shape does not fit; undefined when it does. */
export function shapeMismatch(spec: TensorSpec, shape: readonly number[]): string | undefined {
  const expected = `shape ${formatShape(shape)} found, ${formatShape(spec.shape)} expected`;
  if (shape.length > maxRank) return `${shape.length} dimensions found, at most ${maxRank} are possible`;
  if (spec.shape !== null && spec.shape.length !== shape.length) return expected;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    const declared = spec.shape?.[axis] ?? -1;
    if (!Number.isSafeInteger(size) || size < 0)
      return `shape ${formatShape(shape)} found, sizes are whole numbers`;
    if (declared >= 0 && declared !== size) return expected;
    if (declared < 0 && size === 0) return `shape ${formatShape(shape)} found, which has no elements`;
  }
  const bytes = elementCount(shape) * Math.max(datatypeBytes[spec.datatype], 1);
  return Number.isSafeInteger(bytes) ? undefined : `shape ${formatShape(shape)} found, which is too large`;
}

function wrongNames(signature: Signature, inputs: NamedTensors): EngineError {
  const list = (names: Iterable<string>) =>
    [...names]
      .slice(0, 20)
      .map((name) => quoted(name))
      .join(', ');
  return invalid(
    `inputs: ${list(inputs.keys()) || 'none'} found, ${list(signature.inputs.map(({ name }) => name)) || 'none'} expected`,
  );
}

function invalid(sentence: string): EngineError {
  return new EngineError('InvalidArgument', sentence);
}
