/**
 * Numbers of nested lists in JSON, read by WebAssembly (`../assembly/number-reader.ts`), which has a fixed memory:
 * the text goes through it in windows. Pure.
 */
import { numberReader } from '../assembly/generated/number-reader.ts';
import { freeMemory } from '../free-memory.ts';

declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

interface Place {
  /** In bytes, from the beginning of the memory. */
  readonly value: number;
}

interface Reader {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly begin: (singles: boolean) => void;
  readonly read: (length: number, isLast: boolean) => number;
  readonly INPUT: Place;
  readonly VALUES: Place;
  readonly SIZES: Place;
  readonly LEFT_OVER: Place;
  readonly RESULT: Place;
  /** In bytes. */
  readonly LARGEST_WINDOW: { readonly value: number };
}

const module = new WebAssembly.Module(Buffer.from(numberReader, 'base64'));
const reader = new WebAssembly.Instance(module).exports as Reader;
const { buffer } = reader.memory;
const input = new Uint8Array(buffer, reader.INPUT.value, reader.LARGEST_WINDOW.value);
const singles = new Float32Array(buffer, reader.VALUES.value);
const doubles = new Float64Array(buffer, reader.VALUES.value);
const sizes = new Int32Array(buffer, reader.SIZES.value);
const leftOver = new Int32Array(buffer, reader.LEFT_OVER.value);
const result = new Int32Array(buffer, reader.RESULT.value);
const bounds = new Float64Array(buffer, reader.RESULT.value + 24);

/** What the last window had, and the list so far. */
function found() {
  return {
    count: result[0] as number,
    leftOver: result[1] as number,
    rank: result[2] as number,
    isDone: result[3] === 1,
    areWhole: result[4] === 1,
    least: bounds[0] as number,
    greatest: bounds[1] as number,
  };
}

/** Many lists are short, so the first windows are. */
const firstWindow = 2048;
const windowGrowth = 8;

export type Singles = Float32Array<ArrayBuffer>;
export type Doubles = Float64Array<ArrayBuffer>;
type ArrayType<Values> = new (length: number) => Values;

export interface Numbers<Values> {
  /** In the order of the text. */
  readonly values: Values;
  /** How long the lists of each dimension are. */
  readonly shape: readonly number[];
  /** Where the list begins in the bytes. */
  readonly start: number;
  /** Behind the list. */
  readonly end: number;
  /** Bounds of the values, as doubles. */
  readonly least: number;
  readonly greatest: number;
  /** Whether no value has a fraction. */
  readonly areWhole: boolean;
}

/**
 * Reads the list of numbers that begins at `start`, each as the double that `JSON.parse` makes of it, or rounded from
 * that to FP32. Undefined when it is anything else, or unusual.
 */
export function readNumbers<Values extends Singles | Doubles>(
  bytes: Uint8Array,
  start: number,
  type: ArrayType<Values>,
): Numbers<Values> | undefined {
  const isSingle = (type as unknown) === Float32Array;
  const parts: Values[] = [];
  let [least, greatest, areWhole] = [0, 0, true];
  let at = start;
  reader.begin(isSingle);
  for (let size = firstWindow; ; size = Math.min(size * windowGrowth, input.length)) {
    const end = Math.min(at + size, bytes.length);
    input.set(bytes.subarray(at, end));
    const length = reader.read(end - at, end === bytes.length);
    if (length < 0) return undefined;
    const window = found();
    const part = (isSingle ? singles : doubles).slice(0, window.count) as Values;
    for (let i = 0; i < window.leftOver; i++) {
      const from = at + (leftOver[i * 3 + 1] as number);
      const to = at + (leftOver[i * 3 + 2] as number);
      const value = Number(textOf(bytes.subarray(from, to)));
      part[leftOver[i * 3] as number] = value;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
      areWhole &&= Number.isInteger(value);
    }
    parts.push(part);
    at += length;
    if (window.isDone) break;
    if (at === bytes.length) return undefined;
  }
  const list = found();
  return {
    values: joined(parts),
    shape: Array.from(sizes.subarray(0, list.rank)),
    start,
    end: at,
    least: Math.min(least, list.least),
    greatest: Math.max(greatest, list.greatest),
    areWhole: areWhole && list.areWhole,
  };
}

/** One array of several of a kind, whose memory is given back; of none, an empty one. */
export function joined<Values extends Singles | Doubles>(parts: readonly Values[]): Values {
  if (parts.length === 1) return parts[0] as Values;
  const type = parts[0]?.BYTES_PER_ELEMENT === 8 ? Float64Array : Float32Array;
  const whole = new type(parts.reduce((sum, { length }) => sum + length, 0)) as Values;
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
    freeMemory(part);
  }
  return whole;
}

/** The text of bytes that are all ASCII. */
export function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}
