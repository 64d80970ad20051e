/**
 * Single JSON values as elements of a tensor. Pure.
 *
 * - A number must be one that the datatype holds: integers are not wrapped or cut off, and no fraction becomes an
 *   integer. Floats are rounded to the nearest, and refused where that would be infinity.
 * - INT64 and UINT64 are read up to 2^53 - 1, since JSON numbers beyond lose digits on their way here. The binary
 *   extension carries all 64 bits.
 * - NaN and infinities are refused: JSON has no form for them, and a model that is given one answers with one, which
 *   helps nobody. Who means them sends the tensor with the binary extension, which carries every bit.
 */
import { rangeOf } from './cast.ts';
import { toBfloat16, toHalf } from './half.ts';
import { describe, isObject, numberWord } from './json.ts';
import type { Datatype } from './tensor.ts';

/** An element as its typed array takes it, or a sentence that says why the value is none. */
export type Leaf = number | bigint | Uint8Array | string;

/** A string is never an element (BYTES elements are Uint8Array), so that it can stand for what is wrong. */
export function isProblem(leaf: Leaf): leaf is string {
  return typeof leaf === 'string';
}

/** Reads one value. */
export function leafReader(datatype: Datatype): (value: unknown) => Leaf {
  switch (datatype) {
    case 'BOOL':
      return readBool;
    case 'BYTES':
      return readBytes;
    case 'FP32':
    case 'FP64':
      return (value) => readFloat(datatype, value);
    case 'FP16':
      return (value) => converted(readFloat(datatype, value), toHalf);
    case 'BF16':
      return (value) => converted(readFloat(datatype, value), toBfloat16);
    case 'INT64':
    case 'UINT64':
      return (value) => converted(readInteger(datatype, value), BigInt);
    default:
      return (value) => readInteger(datatype, value);
  }
}

/** Least and greatest number of a datatype that arrive unharmed in JSON. */
export function jsonRange(datatype: Datatype): readonly [least: number, greatest: number] {
  const range = rangeOf(datatype) ?? { least: 0, greatest: 1 };
  const safe = datatype.startsWith('FP') || datatype === 'BF16' ? Number.MAX_VALUE : Number.MAX_SAFE_INTEGER;
  return [Math.max(Number(range.least), -safe), Math.min(Number(range.greatest), safe)];
}

function readFloat(datatype: Datatype, value: unknown): number | string {
  const [least, greatest] = jsonRange(datatype);
  if (typeof value === 'number' && value >= least && value <= greatest) return value;
  const hint = numberWord(value) === undefined ? '' : '; fill in missing values before the request';
  return `${wrong(value, `a number that ${datatype} holds`)}${hint}`;
}

function readInteger(datatype: Datatype, value: unknown): number | string {
  const [least, greatest] = jsonRange(datatype);
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= greatest)
    return value;
  return wrong(value, `a whole number from ${least} to ${greatest} (${datatype})`);
}

function converted<T extends Leaf>(leaf: number | string, convert: (value: number) => T): T | string {
  return typeof leaf === 'string' ? leaf : convert(leaf);
}

function readBool(value: unknown): number | string {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : wrong(value, 'true or false');
}

const utf8 = new TextEncoder();

/** A string, as UTF-8, or TensorFlow Serving's `{"b64": "…"}`. */
function readBytes(value: unknown): Uint8Array | string {
  if (typeof value === 'string' && numberWord(value) === undefined) return utf8.encode(value);
  if (!isBase64(value)) return wrong(value, 'a string or {"b64": "…"}');
  const isClean = /^[A-Za-z0-9+/\-_]*={0,2}$/.test(value.b64);
  return isClean ? Uint8Array.from(Buffer.from(value.b64, 'base64')) : 'the value of "b64" is no base64';
}

export function isBase64(value: unknown): value is { readonly b64: string } {
  return isObject(value) && typeof value['b64'] === 'string' && Object.keys(value).length === 1;
}

const wrong = (value: unknown, expected: string) => `${describe(value)} found, ${expected} expected`;
