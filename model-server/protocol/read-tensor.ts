/** Tensors out of JSON values. No memory is taken for elements that a request only claims to have. Pure. */
import { arrayTypes } from './cast.ts';
import { invalid } from './errors.ts';
import { describe } from './json.ts';
import { isProblem, jsonRange, leafReader } from './leaves.ts';
import { NumberList } from './number-list.ts';
import { type Datatype, elementCount, formatShape, type Tensor, type TensorArrays } from './tensor.ts';

/** TensorFlow's tensors have at most 254 dimensions, models in use fewer than ten. */
export const maxDimensions = 16;

/** Each byte string is an object of its own, some hundred bytes however short its text. */
export const maxByteStrings = 2 ** 20;

/** An array of `length` elements, zeros or empty strings. */
export function newElements<D extends Datatype>(datatype: D, length: number): TensorArrays[D] {
  if (datatype !== 'BYTES') return new arrayTypes[datatype as Exclude<D, 'BYTES'>](length) as TensorArrays[D];
  return Array.from({ length }, () => new Uint8Array(0)) as TensorArrays[D];
}

/**
 * The tensor that nested lists are; its shape is theirs. A value that is no list is a scalar.
 * @throws ProtocolError with the path of the first list or value that does not fit
 */
export function tensorFromNested(datatype: Datatype, value: unknown, field: string): Tensor {
  if (value instanceof NumberList) {
    const data = value.takeElements(datatype);
    if (data) return { datatype, shape: value.shape, data } as Tensor;
    return tensorFromNested(datatype, value.plain(), field);
  }
  const shape = nestedShape(value, field);
  requireShape(value, shape, field);
  return filled(datatype, shape, shape, value, field);
}

/**
 * A tensor of a shape that the request states, from a flat list or from lists nested as the shape says.
 * @throws ProtocolError as above, or when there are more or fewer elements
 */
export function tensorFromList(
  datatype: Datatype,
  shape: readonly number[],
  value: unknown,
  field: string,
): Tensor {
  if (value instanceof NumberList) {
    const fits =
      value.shape.length === 1 ? value.shape[0] === elementCount(shape) : isSame(value.shape, shape);
    const data = fits ? value.takeElements(datatype) : undefined;
    if (data) return { datatype, shape, data } as Tensor;
    return tensorFromList(datatype, shape, value.plain(), field);
  }
  if (!Array.isArray(value)) throw invalid(field, `${describe(value)} found, a list expected`);
  const isNested = value.some(Array.isArray);
  if (isNested) requireShape(value, shape, field);
  const expected = elementCount(shape);
  if (!isNested && value.length !== expected) {
    throw invalid(
      field,
      `${value.length} elements found, ${expected} expected for shape ${formatShape(shape)}`,
    );
  }
  return filled(datatype, shape, isNested ? shape : [value.length], value, field);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The lengths of the first list in each list. */
function nestedShape(value: unknown, field: string): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) {
    if (shape.length === maxDimensions)
      throw invalid(field, `lists nested deeper than ${maxDimensions} found`);
    shape.push(inner.length);
  }
  return shape;
}

/** Makes sure of a shape before memory is taken for it: a few short lists can claim to be a giant. */
function requireShape(value: unknown, shape: readonly number[], field: string): void {
  const indices: number[] = [];
  const walk = (list: unknown, dimension: number) => {
    if (!Array.isArray(list) || list.length !== shape[dimension]) {
      const path = indices.slice(0, dimension).map((index) => `[${index}]`);
      throw invalid(
        field + path.join(''),
        `${describe(list)} found, a list of ${shape[dimension]} expected for shape ${formatShape(shape)}`,
      );
    }
    if (dimension === shape.length - 1) return;
    for (let index = 0; index < list.length; index++) {
      indices[dimension] = index;
      walk(list[index], dimension + 1);
    }
  };
  if (shape.length > 0) walk(value, 0);
}

/** @param nesting the shape of `value` itself, which is known to be right: the tensor's, or flat. */
function filled(
  datatype: Datatype,
  shape: readonly number[],
  nesting: readonly number[],
  value: unknown,
  field: string,
): Tensor {
  const count = elementCount(nesting);
  if (datatype === 'BYTES' && count > maxByteStrings) {
    throw invalid(field, `${count} strings found, at most ${maxByteStrings} are taken in one request`);
  }
  const elements = newElements(datatype, count);
  const fill = rowFiller(datatype, elements, (element, problem) =>
    invalid(field + pathOf(element, nesting), problem),
  );
  let next = 0;
  const walk = (list: readonly unknown[], depth: number) => {
    if (depth === nesting.length) {
      fill(list, next);
      next += list.length;
    } else for (let index = 0; index < list.length; index++) walk(list[index] as unknown[], depth + 1);
  };
  if (nesting.length === 0) fill([value], 0);
  else walk(value as unknown[], 1);
  return { datatype, shape, data: elements } as Tensor;
}

type RowFiller = (row: readonly unknown[], at: number) => void;

/** Writes a row of leaves; nothing is made for each of them but the element. */
function rowFiller(
  datatype: Datatype,
  elements: TensorArrays[Datatype],
  problemAt: (element: number, problem: string) => Error,
): RowFiller {
  const read = leafReader(datatype);
  const target = elements as unknown as unknown[];
  const take = (value: unknown, at: number) => {
    const leaf = read(value);
    if (isProblem(leaf)) throw problemAt(at, leaf);
    target[at] = leaf;
  };
  if (datatype === 'FP32' || datatype === 'FP64') {
    // Nearly all of all requests: what is a plain number of the right size needs no further question.
    const floats = elements as Float32Array | Float64Array;
    const [least, greatest] = jsonRange(datatype);
    return (row, at) => {
      for (let i = 0; i < row.length; i++) {
        const value = row[i];
        if (typeof value === 'number' && value >= least && value <= greatest) floats[at + i] = value;
        else take(value, at + i);
      }
    };
  }
  return (row, at) => {
    for (let i = 0; i < row.length; i++) take(row[i], at + i);
  };
}

/** `[1][0][2]`: where the element with this row-major number is. */
function pathOf(element: number, shape: readonly number[]): string {
  let rest = element;
  let path = '';
  for (const size of shape.toReversed()) {
    path = `[${rest % size}]${path}`;
    rest = Math.floor(rest / size);
  }
  return path;
}
