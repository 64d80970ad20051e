/**
 * From JSON values to a tensor's elements and back.
 *
 * - A number must be one that the datatype holds: nothing is rounded to a whole number, wrapped or cut off.
 * - INT64 and UINT64 are read up to 2^53 - 1, since JSON numbers beyond lose digits on their way here; they are
 *   written with all their digits. The binary extension carries all of them.
 * - FP16 and BF16 have no JSON form in the Open Inference Protocol; binary only.
 * - JSON knows no NaN and no infinities: as output they are written `null`.
 */
import { invalid } from './errors.ts';
import { describe, isObject } from './json.ts';
import type { Datatype, Tensor, TensorArrays, TensorData } from './tensor.ts';

/** TensorFlow's tensors have at most 254 dimensions, models in use fewer than ten. */
const maxDepth = 16;

/** An array of `length` elements, zeros or empty strings. */
export function newElements<D extends Datatype>(datatype: D, length: number): TensorArrays[D] {
  return makers[datatype](length);
}

const makers: { [D in Datatype]: (length: number) => TensorArrays[D] } = {
  BOOL: (length) => new Uint8Array(length),
  UINT8: (length) => new Uint8Array(length),
  UINT16: (length) => new Uint16Array(length),
  UINT32: (length) => new Uint32Array(length),
  UINT64: (length) => new BigUint64Array(length),
  INT8: (length) => new Int8Array(length),
  INT16: (length) => new Int16Array(length),
  INT32: (length) => new Int32Array(length),
  INT64: (length) => new BigInt64Array(length),
  FP16: (length) => new Uint16Array(length),
  BF16: (length) => new Uint16Array(length),
  FP32: (length) => new Float32Array(length),
  FP64: (length) => new Float64Array(length),
  BYTES: (length) => Array.from({ length }, () => new Uint8Array()),
};

const largestFloat32 = 3.4028234663852886e38;

const wholeRanges: Partial<Record<Datatype, readonly [low: number, high: number]>> = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * Fills `elements` from JSON values that are nested or flat, in row-major order.
 * @param read says how a leaf is read; see `elementReader`
 * @returns how many values there were, also when they were more than `elements` holds
 */
export function fillFlat(
  elements: TensorData,
  values: unknown,
  read: (value: unknown) => number | bigint | Uint8Array | string,
  field: string,
): number {
  if (!Array.isArray(values)) throw invalid(field, `${describe(values)} found, a list expected`);
  const target = elements as unknown as unknown[];
  let count = 0;
  const walk = (list: readonly unknown[], depth: number) => {
    if (depth > maxDepth) throw invalid(field, `lists nested deeper than ${maxDepth} found`);
    for (const value of list) {
      if (Array.isArray(value)) walk(value, depth + 1);
      else {
        const element = read(value);
        if (isProblem(element)) throw invalid(`${field}[${count}]`, element);
        if (count < elements.length) target[count] = element;
        count += 1;
      }
    }
  };
  walk(values, 1);
  return count;
}

/** The shape of nested lists by their first elements; a leaf has shape []. */
export function nestedShape(value: unknown, field: string): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) {
    if (shape.length === maxDepth) throw invalid(field, `lists nested deeper than ${maxDepth} found`);
    shape.push(inner.length);
  }
  return shape;
}

/**
 * Makes sure that nested lists have exactly the given shape, before memory is taken for it: a few short lists can
 * claim the shape of a giant.
 * @throws ProtocolError that names the first list of another length, with its path
 */
export function requireShape(value: unknown, shape: readonly number[], field: string): void {
  const walk = (inner: unknown, dimension: number, indices: number[]) => {
    if (!Array.isArray(inner) || inner.length !== shape[dimension]) {
      const path =
        field +
        indices
          .slice(0, dimension)
          .map((index) => `[${index}]`)
          .join('');
      throw invalid(path, `${describe(inner)} found, a list of ${shape[dimension]} expected as beside it`);
    }
    if (dimension === shape.length - 1) return;
    for (let index = 0; index < inner.length; index++) {
      indices[dimension] = index;
      walk(inner[index], dimension + 1, indices);
    }
  };
  if (shape.length > 0) walk(value, 0, []);
}

/**
 * Fills `elements` from nested lists of the given shape.
 * @param value has passed `requireShape`
 * @throws ProtocolError that names the first value that is no element, with its path
 */
export function fillNested(
  elements: TensorData,
  value: unknown,
  shape: readonly number[],
  read: (value: unknown) => number | bigint | Uint8Array | string,
  field: string,
): void {
  const target = elements as unknown as unknown[];
  let next = 0;
  const take = (leaf: unknown) => {
    const element = read(leaf);
    if (isProblem(element)) throw invalid(field + pathOf(next, shape), element);
    target[next++] = element;
  };
  // Millions of leaves: nothing is made for each of them but the element.
  const walk = (list: readonly unknown[], depth: number) => {
    if (depth === shape.length) for (let index = 0; index < list.length; index++) take(list[index]);
    else for (let index = 0; index < list.length; index++) walk(list[index] as unknown[], depth + 1);
  };
  if (shape.length === 0) take(value);
  else walk(value as unknown[], 1);
}

/** `[1][0][2]`: where the element with this row-major number is. */
function pathOf(element: number, shape: readonly number[]): string {
  let rest = element;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return `[${index}]`;
    })
    .toReversed()
    .join('');
}

/** A string is never an element (BYTES elements are Uint8Array), so it can stand for what is wrong. */
const isProblem = (element: unknown): element is string => typeof element === 'string';

/** Reads one leaf: the element, or a sentence that says what is wrong with it. */
export function elementReader(datatype: Datatype): (value: unknown) => number | bigint | Uint8Array | string {
  switch (datatype) {
    case 'FP32':
      return (value) =>
        typeof value === 'number' && Math.abs(value) <= largestFloat32
          ? value
          : wrong(value, 'a number that FP32 holds');
    case 'FP64':
      return (value) => (typeof value === 'number' ? value : wrong(value, 'a number'));
    case 'BOOL':
      return (value) =>
        value === true || value === 1
          ? 1
          : value === false || value === 0
            ? 0
            : wrong(value, 'true or false');
    case 'BYTES':
      return bytesElement;
    case 'FP16':
    case 'BF16':
      return () => `${datatype} has no JSON form; send it with the binary tensor extension`;
    case 'INT64':
    case 'UINT64':
      return (value) => (isWhole(datatype, value) ? BigInt(value) : wrongWhole(datatype, value));
    default:
      return (value) => (isWhole(datatype, value) ? value : wrongWhole(datatype, value));
  }
}

function isWhole(datatype: Datatype, value: unknown): value is number {
  const [low, high] = wholeRanges[datatype]!;
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
}

function wrongWhole(datatype: Datatype, value: unknown): string {
  const [low, high] = wholeRanges[datatype]!;
  return wrong(value, `a whole number from ${low} to ${high} (${datatype})`);
}

const wrong = (value: unknown, expected: string) => `${describe(value)} found, ${expected} expected`;

/** A string in UTF-8, or TensorFlow Serving's `{"b64": "…"}`. */
function bytesElement(value: unknown): Uint8Array | string {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (!isBase64(value)) return wrong(value, 'a string or {"b64": "…"}');
  const bytes = Buffer.from(value.b64, 'base64');
  const isClean = /^[A-Za-z0-9+/\-_]*={0,2}$/.test(value.b64);
  return isClean ? bytes : 'the value of "b64" is no base64';
}

export function isBase64(value: unknown): value is { readonly b64: string } {
  return isObject(value) && typeof value['b64'] === 'string' && Object.keys(value).length === 1;
}

/** How an element is written: a JSON token. */
export function elementWriter(tensor: Tensor, asBase64 = false): (index: number) => string {
  const { data } = tensor;
  switch (tensor.datatype) {
    case 'BOOL':
      return (index) => (data[index] ? 'true' : 'false');
    case 'BYTES': {
      const list = tensor.data;
      return asBase64
        ? (index) => `{"b64":"${Buffer.from(list[index]!).toString('base64')}"}`
        : (index) => JSON.stringify(Buffer.from(list[index]!).toString('utf8'));
    }
    case 'FP16':
      return (index) => number(halfToNumber(tensor.data[index]!));
    case 'BF16':
      return (index) => number(brainToNumber(tensor.data[index]!));
    case 'FP32':
    case 'FP64':
      return (index) => number(tensor.data[index]!);
    default:
      return (index) => String(data[index]);
  }
}

const number = (value: number) => (Number.isFinite(value) ? String(value) : 'null');

/** IEEE 754 binary16. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a binary32. */
export function brainToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
