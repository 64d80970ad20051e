/**
 * Lists of plain numbers in JSON, read from the bytes into one typed array. `JSON.parse` would make a value of each
 * number and an array of each row first, which for an image takes several times as long as the inference. What is read
 * here is exactly what `JSON.parse` would read; for everything unusual it is left to do so. Pure.
 */
import { freeMemory } from '../free-memory.ts';
import { arrayTypes, rangeOf } from './cast.ts';
import { joined, type Numbers, readNumbers, textOf } from './number-reader.ts';
import type { Datatype, TensorArrays } from './tensor.ts';

/** A list as it was read. Nearly all models take FP32, so that is what is read first. */
export type FoundList = Numbers<Float32Array<ArrayBuffer>>;

/** The list of numbers that begins at `start`; undefined when it is anything else. */
export function findNumberList(bytes: Uint8Array, start: number): FoundList | undefined {
  return readNumbers(bytes, start, Float32Array);
}

/** Numbers, in lists that are nested as `shape` says. */
export class NumberList {
  readonly shape: readonly number[];
  /** The text, or that of each list that was stacked. */
  readonly #texts: readonly Uint8Array[];
  readonly #isStacked: boolean;
  /** The numbers of each text. */
  readonly #singles: readonly FoundList[];

  private constructor(
    shape: readonly number[],
    texts: readonly Uint8Array[],
    singles: readonly FoundList[],
    isStacked = false,
  ) {
    this.shape = shape;
    this.#texts = texts;
    this.#singles = singles;
    this.#isStacked = isStacked;
  }

  /** A list that was found in these bytes. */
  static of(bytes: Uint8Array, found: FoundList): NumberList {
    return new NumberList(found.shape, [bytes.subarray(found.start, found.end)], [found]);
  }

  /** One list of several, each as it was read; undefined unless all are number lists of one shape. */
  static stacked(lists: readonly unknown[]): NumberList | undefined {
    const [first] = lists;
    if (!(first instanceof NumberList)) return undefined;
    const isAlike = (list: unknown): list is NumberList =>
      list instanceof NumberList && isSame(list.shape, first.shape);
    if (!lists.every(isAlike)) return undefined;
    return new NumberList(
      [lists.length, ...first.shape],
      lists.flatMap((list) => list.#texts),
      lists.flatMap((list) => list.#singles),
      true,
    );
  }

  /**
   * The elements of a tensor; undefined when not all values are ones that the datatype holds. To be asked for once: as
   * FP32 they are the list's own, and for another datatype those are given up.
   */
  takeElements<D extends Datatype>(datatype: D): TensorArrays[D] | undefined {
    if (datatype === 'BOOL' || datatype === 'BYTES' || datatype === 'FP16' || datatype === 'BF16')
      return undefined;
    if (datatype === 'FP32' || (datatype !== 'FP64' && this.#singles.every(isExact))) {
      return elementsOf(datatype, this.#singles, Float32Array) as TensorArrays[D] | undefined;
    }
    for (const { values } of this.#singles) freeMemory(values);
    const doubles = this.#texts.map((text) => readNumbers(text, 0, Float64Array)!);
    return elementsOf(datatype, doubles, Float64Array) as TensorArrays[D] | undefined;
  }

  /** What `JSON.parse` makes of it. */
  plain(): unknown {
    const values = this.#texts.map((text) => JSON.parse(textOf(text)));
    return this.#isStacked ? values : values[0];
  }
}

/** Whether FP32 holds the numbers as they are: all are whole, and none has more bits than its fraction. */
function isExact({ least, greatest, areWhole }: Numbers<Float32Array>): boolean {
  return areWhole && least >= -(2 ** 24) && greatest <= 2 ** 24;
}

/** The numbers of all lists; undefined when the datatype does not hold one of them. */
function elementsOf<Values extends Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(
  datatype: Exclude<Datatype, 'BYTES'>,
  lists: readonly Numbers<Values>[],
  type: new (length: number) => Values,
): TensorArrays[Exclude<Datatype, 'BYTES'>] | undefined {
  const range = rangeOf(datatype)!;
  const isFloat = datatype === 'FP32' || datatype === 'FP64';
  const least = Math.max(Number(range.least), isFloat ? -Infinity : Number.MIN_SAFE_INTEGER);
  const greatest = Math.min(Number(range.greatest), isFloat ? Infinity : Number.MAX_SAFE_INTEGER);
  for (const list of lists) {
    if (list.least < least || list.greatest > greatest || !(isFloat || list.areWhole)) return undefined;
  }
  const values = joined(
    lists.map((list) => list.values),
    type,
  );
  if (isFloat) return values;
  const elements = new arrayTypes[datatype](values.length);
  if (datatype === 'INT64' || datatype === 'UINT64') {
    for (let i = 0; i < values.length; i++) elements[i] = BigInt(values[i] as number) as never;
  } else (elements as Int32Array).set(values);
  freeMemory(values);
  return elements;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
