/**
 * Lists of plain numbers in JSON, read from the bytes into one typed array. `JSON.parse` would make a value of each
 * number and an array of each row first, which for an image takes several times as long as the inference. What is read
 * here is exactly what `JSON.parse` would read; for everything unusual it is left to do so. Pure.
 */
import { freeMemory } from '../free-memory.ts';
import { arrayTypes, rangeOf } from './cast.ts';
import { type Datatype, elementCount, type TensorArrays } from './tensor.ts';

/** Deeper nested lists are left to `JSON.parse`, and then refused. */
const mostDimensions = 16;

/** Numbers, in lists that are nested as `shape` says. */
export class NumberList {
  readonly shape: readonly number[];
  readonly #values: Float64Array;
  /** Whether the values themselves are a tensor's elements now. */
  #isGivenOut = false;
  /** Whether some values are only sure to round to the right FP32. */
  readonly #onlySingle: boolean;
  /** The text, or that of each list that was stacked. */
  readonly #source: Uint8Array | readonly Uint8Array[];

  constructor(
    shape: readonly number[],
    values: Float64Array,
    onlySingle: boolean,
    source: Uint8Array | readonly Uint8Array[],
  ) {
    this.shape = shape;
    this.#values = values;
    this.#onlySingle = onlySingle;
    this.#source = source;
  }

  /** One list of several, each as it was read; undefined unless all are number lists of one shape. */
  static stacked(lists: readonly unknown[]): NumberList | undefined {
    const [first] = lists;
    if (!(first instanceof NumberList)) return undefined;
    const size = elementCount(first.shape);
    const values = new Float64Array(size * lists.length);
    const sources: Uint8Array[] = [];
    let onlySingle = false;
    for (const [index, list] of lists.entries()) {
      if (!(list instanceof NumberList) || !isSame(list.shape, first.shape)) return undefined;
      values.set(list.#values, index * size);
      sources.push(list.#source as Uint8Array);
      onlySingle ||= list.#onlySingle;
    }
    return new NumberList([lists.length, ...first.shape], values, onlySingle, sources);
  }

  /** As `elements`, and nothing can be read from the list any more. */
  takeElements<D extends Datatype>(datatype: D): TensorArrays[D] | undefined {
    const elements = this.elements(datatype);
    if (elements && !this.#isGivenOut) freeMemory(this.#values);
    return elements;
  }

  /** The elements of a tensor; undefined when not all values are ones that the datatype holds. */
  elements<D extends Datatype>(datatype: D): TensorArrays[D] | undefined {
    const range = rangeOf(datatype);
    if (!range || datatype === 'FP16' || datatype === 'BF16' || (this.#onlySingle && datatype !== 'FP32'))
      return undefined;
    const isFloat = datatype === 'FP32' || datatype === 'FP64';
    const least = Math.max(Number(range.least), isFloat ? -Infinity : Number.MIN_SAFE_INTEGER);
    const greatest = Math.min(Number(range.greatest), isFloat ? Infinity : Number.MAX_SAFE_INTEGER);
    const values = this.#values;
    if (datatype === 'FP32') return singles(values, greatest) as TensorArrays[D] | undefined;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!(value >= least && value <= greatest) || !(isFloat || Number.isInteger(value))) return undefined;
    }
    if (datatype === 'FP64') {
      this.#isGivenOut = true;
      return values as TensorArrays[D];
    }
    const wide = datatype === 'INT64' || datatype === 'UINT64';
    const elements = new arrayTypes[datatype as Exclude<D, 'BYTES'>](values.length);
    if (wide) for (let i = 0; i < values.length; i++) elements[i] = BigInt(values[i] as number) as never;
    else (elements as Int32Array).set(values);
    return elements as TensorArrays[D];
  }

  /** What `JSON.parse` makes of it. */
  plain(): unknown {
    const source = this.#source;
    return source instanceof Uint8Array
      ? JSON.parse(textOf(source))
      : source.map((each) => JSON.parse(textOf(each)));
  }
}

function singles(values: Float64Array, greatest: number): Float32Array | undefined {
  const elements = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= -greatest && value <= greatest)) return undefined;
    elements[i] = value;
  }
  return elements;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}

const [tab, newline, carriageReturn, space] = [0x09, 0x0a, 0x0d, 0x20];
const [comma, minus, plus, dot, zero, nine] = [0x2c, 0x2d, 0x2b, 0x2e, 0x30, 0x39];
const [open, close, upperE, lowerE] = [0x5b, 0x5d, 0x45, 0x65];

/** Powers that a double holds exactly. */
const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** Grows with the largest list so far, up to what is kept. */
let scratch = new Float64Array(4096);
const mostKept = 2 ** 20;

/** The list of numbers that begins at `start`, and where it is over; undefined when it is anything else. */
export function readNumberList(
  bytes: Uint8Array,
  start: number,
): { readonly list: NumberList; readonly end: number } | undefined {
  const sizes: number[] = [];
  const counts: number[] = [];
  let rank = 0;
  let count = 0;
  let onlySingle = false;
  /** Elements of the innermost list so far. */
  let inRow = 0;
  let wantsValue = true;
  let values = scratch;
  let at = start;
  for (;;) {
    const byte = bytes[at] as number;
    if (byte === space || byte === newline || byte === carriageReturn || byte === tab) {
      at++;
      continue;
    }
    if (!wantsValue) {
      if (byte === comma) {
        wantsValue = true;
        at++;
        continue;
      }
      if (byte !== close) return undefined;
      at++;
      const depth = counts.length - 1;
      const size = depth === rank - 1 ? inRow : (counts[depth] as number);
      counts.pop();
      if (sizes[depth] === undefined) sizes[depth] = size;
      else if (sizes[depth] !== size) return undefined;
      if (depth === 0) break;
      counts[depth - 1]!++;
      continue;
    }
    if (byte === open) {
      if (counts.length === rank && rank > 0) return undefined;
      if (counts.length === mostDimensions) return undefined;
      counts.push(0);
      inRow = 0;
      at++;
      continue;
    }
    rank ||= counts.length;
    if (counts.length !== rank) return undefined;

    // Numbers until something else follows than a comma and the next one.
    let digit = byte;
    for (;;) {
      // A number: its digits as a whole number, and the power of ten that it is to be multiplied with.
      const first = at;
      const isNegative = digit === minus;
      if (isNegative) digit = bytes[++at] as number;
      if (!(digit >= zero && digit <= nine)) return undefined;
      let whole = digit - zero;
      let digits = whole === 0 ? 0 : 1;
      digit = bytes[++at] as number;
      if (whole === 0 && digit >= zero && digit <= nine) return undefined;
      while (digit >= zero && digit <= nine) {
        whole = whole * 10 + (digit - zero);
        digits++;
        digit = bytes[++at] as number;
      }
      let exponent = 0;
      if (digit === dot) {
        const point = at;
        digit = bytes[++at] as number;
        while (digit >= zero && digit <= nine) {
          whole = whole * 10 + (digit - zero);
          if (whole > 0) digits++;
          digit = bytes[++at] as number;
        }
        exponent = point + 1 - at;
        if (exponent === 0) return undefined;
      }
      if (digit === lowerE || digit === upperE) {
        digit = bytes[++at] as number;
        const isSmall = digit === minus;
        if (isSmall || digit === plus) digit = bytes[++at] as number;
        if (!(digit >= zero && digit <= nine)) return undefined;
        let power = 0;
        while (digit >= zero && digit <= nine) {
          power = Math.min(power * 10 + (digit - zero), 9999);
          digit = bytes[++at] as number;
        }
        exponent += isSmall ? -power : power;
      }

      let value: number;
      if (digits <= 19 && exponent >= -22 && exponent <= 22) {
        // Up to 15 digits and such a power are exact, so one operation rounds as it should.
        value = exponent < 0 ? whole / (powers[-exponent] as number) : whole * (powers[exponent] as number);
        if (digits > 15 && whole > Number.MAX_SAFE_INTEGER) {
          // More digits are off by a few steps of a double. That does not matter for an FP32, unless it is near the
          // middle between two of them.
          const isSure = Math.fround(value * (1 - 2 ** -49)) === Math.fround(value * (1 + 2 ** -49));
          if (isSure && value < 3.4e38) onlySingle = true;
          else value = Math.abs(Number(textOf(bytes.subarray(first, at))));
        }
      } else value = Math.abs(Number(textOf(bytes.subarray(first, at))));

      if (count === values.length) values = grown(values);
      values[count++] = isNegative ? -value : value;
      inRow++;
      if (bytes[at] !== comma) break;
      digit = bytes[at + 1] as number;
      if (!(digit === minus || (digit >= zero && digit <= nine))) break;
      at++;
    }
    wantsValue = false;
  }
  scratch = values.length > mostKept ? new Float64Array(4096) : values;
  const source = bytes.subarray(start, at);
  return { list: new NumberList(sizes, values.slice(0, count), onlySingle, source), end: at };
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}
