/**
 * Lists of plain numbers in JSON, read from the bytes into one typed array. `JSON.parse` would make a value of each
 * number and an array of each row first, which for an image takes several times as long as the inference. What is read
 * here is exactly what `JSON.parse` would read; for everything unusual it is left to do so. Pure.
 */
import { freeMemory } from '../free-memory.ts';
import { arrayTypes, rangeOf } from './cast.ts';
import { type Doubles, joined, type Numbers, readNumbers, type Singles, textOf } from './number-reader.ts';
import type { Datatype, TensorArrays, TensorSpec } from './tensor.ts';

/** A list as it was read. */
export type FoundList = Numbers<Singles> | Numbers<Doubles>;

/** What numbers are kept as while nobody knows which tensor they are. */
export type Precision = 'FP32' | 'FP64';

const wideDatatypes: ReadonlySet<Datatype> = new Set(['FP64', 'INT64', 'UINT64', 'INT32', 'UINT32']);

const precisionOf = ({ BYTES_PER_ELEMENT }: Singles | Doubles): Precision =>
  BYTES_PER_ELEMENT === 8 ? 'FP64' : 'FP32';

/** FP32, as nearly all models take it, unless that would lose what inputs hold: then lists would have to be read again. */
export function precisionFor(inputs: readonly Pick<TensorSpec, 'datatype'>[]): Precision {
  const isWide = inputs.some(({ datatype }) => wideDatatypes.has(datatype));
  return isWide && inputs.every(({ datatype }) => datatype !== 'FP32') ? 'FP64' : 'FP32';
}

/** The list of numbers that begins at `start`; undefined when it is anything else. */
export function findNumberList(
  bytes: Uint8Array,
  start: number,
  precision: Precision = 'FP32',
): FoundList | undefined {
  return precision === 'FP32'
    ? readNumbers(bytes, start, Float32Array)
    : readNumbers(bytes, start, Float64Array);
}

/** Numbers, in lists that are nested as `shape` says. */
export class NumberList {
  readonly shape: readonly number[];
  /** The text, or that of each list that was stacked. */
  readonly #texts: readonly Uint8Array[];
  readonly #isStacked: boolean;
  /** The numbers of each text. */
  readonly #lists: readonly FoundList[];

  private constructor(
    shape: readonly number[],
    texts: readonly Uint8Array[],
    lists: readonly FoundList[],
    isStacked = false,
  ) {
    this.shape = shape;
    this.#texts = texts;
    this.#lists = lists;
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
      lists.flatMap((list) => list.#lists),
      true,
    );
  }

  /**
   * The elements of a tensor; undefined when not all values are ones that the datatype holds. To be asked for once: the
   * list's own numbers are the tensor's, or are given up.
   */
  takeElements<D extends Datatype>(datatype: D): TensorArrays[D] | undefined {
    if (datatype === 'BOOL' || datatype === 'BYTES' || datatype === 'FP16' || datatype === 'BF16')
      return undefined;
    const isEnough = this.#lists.every((list) => isExactFor(datatype, list));
    if (!isEnough) for (const { values } of this.#lists) freeMemory(values);
    const lists = isEnough ? this.#lists : this.#texts.map((text) => readNumbers(text, 0, Float64Array)!);
    return elementsOf(datatype, lists) as TensorArrays[D] | undefined;
  }

  /** What `JSON.parse` makes of it. */
  plain(): unknown {
    const values = this.#texts.map((text) => JSON.parse(textOf(text)));
    return this.#isStacked ? values : values[0];
  }
}

/** Whether the numbers as they were read say what the datatype would hold. */
function isExactFor(datatype: Datatype, { values, least, greatest, areWhole }: FoundList): boolean {
  if (precisionOf(values) === 'FP64' || datatype === 'FP32') return true;
  // FP32 has whole numbers of as many bits as its fraction.
  return datatype !== 'FP64' && areWhole && least >= -(2 ** 24) && greatest <= 2 ** 24;
}

/** The numbers of all lists; undefined when the datatype does not hold one of them. */
function elementsOf(
  datatype: Exclude<Datatype, 'BYTES'>,
  lists: readonly FoundList[],
): TensorArrays[Exclude<Datatype, 'BYTES'>] | undefined {
  const range = rangeOf(datatype)!;
  const isFloat = datatype === 'FP32' || datatype === 'FP64';
  const least = Math.max(Number(range.least), isFloat ? -Infinity : Number.MIN_SAFE_INTEGER);
  const greatest = Math.min(Number(range.greatest), isFloat ? Infinity : Number.MAX_SAFE_INTEGER);
  for (const list of lists) {
    if (list.least < least || list.greatest > greatest || !(isFloat || list.areWhole)) return undefined;
  }
  const values = joined(lists.map((list) => list.values));
  if (datatype === precisionOf(values)) return values;
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
