/**
 * Tensors as JSON text. Pure.
 *
 * - JSON has no NaN and no infinities: they are written `null`, never as words that clients' parsers choke on.
 * - Floats always have a decimal point or an exponent, as TensorFlow Serving's: 1.0. FP16, BF16 and FP32 have as
 *   many digits as give the same value back, so 0.1 and not 0.10000000149011612.
 * - INT64 and UINT64 have all their digits.
 */
import { fromBfloat16, fromHalf } from './half.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** Writes the element with this row-major number. */
export type ElementWriter = (index: number) => string;

/** @param bytes writes an element of BYTES. */
export function elementWriter(tensor: Tensor, bytes: (element: Uint8Array) => string): ElementWriter {
  const { data } = tensor;
  switch (tensor.datatype) {
    case 'BOOL':
      return (index) => (data[index] ? 'true' : 'false');
    case 'BYTES':
      return (index) => bytes(tensor.data[index] as Uint8Array);
    case 'FP16':
      return (index) => single(fromHalf(tensor.data[index] as number));
    case 'BF16':
      return (index) => single(fromBfloat16(tensor.data[index] as number));
    case 'FP32':
      return (index) => single(tensor.data[index] as number);
    case 'FP64':
      return (index) => float(tensor.data[index] as number);
    default:
      return (index) => String(data[index]);
  }
}

/** All elements between commas, row-major. */
export function flatList(tensor: Tensor, write: ElementWriter): string {
  const tokens = new Array<string>(tensor.data.length);
  for (let index = 0; index < tokens.length; index++) tokens[index] = write(index);
  return `[${tokens.join(',')}]`;
}

/** The whole tensor as nested lists, or one row of it. */
export function nestedLists({ shape }: Tensor, write: ElementWriter, row?: number): string {
  const inner = row === undefined ? shape : shape.slice(1);
  let next = row === undefined ? 0 : row * elementCount(inner);
  const walk = (dimension: number): string => {
    if (dimension === inner.length) return write(next++);
    const items: string[] = [];
    for (let i = 0; i < (inner[dimension] as number); i++) items.push(walk(dimension + 1));
    return `[${items.join(',')}]`;
  };
  return walk(0);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that the bytes are; undefined when they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function base64Object(bytes: Uint8Array): string {
  return `{"b64":"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"}`;
}

/** Powers of ten that a double holds exactly. */
const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The shortest of seven to nine digits that is the same FP32 again; nine always are. A whole number of so many digits,
 * divided by a power that is exact, is the double nearest to the decimal.
 */
function single(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return float(value);
  const magnitude = Math.abs(value);
  // Between these `String` writes no exponent.
  if (magnitude >= 1e-6 && magnitude < 1e7) {
    const power = powersFor(magnitude);
    for (let places = 6 + power; places < 9 + power; places++) {
      const scale = powers[places] as number;
      const whole = Math.round(magnitude * scale);
      if (Math.fround(whole / scale) === magnitude)
        return value < 0 ? `-${decimal(whole, places)}` : decimal(whole, places);
    }
  }
  for (const digits of [7, 8]) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return float(short);
  }
  return float(Number(value.toPrecision(9)));
}

/** `whole` ÷ 10^`places`, which is no whole number, without zeros at its end. */
function decimal(whole: number, places: number): string {
  let rest = whole;
  let left = places;
  while (rest % 10 === 0) {
    rest /= 10;
    left--;
  }
  const digits = String(rest);
  const before = digits.length - left;
  if (before > 0) return `${digits.slice(0, before)}.${digits.slice(before)}`;
  return `0.${'0'.repeat(-before)}${digits}`;
}

/** How many times the magnitude has to be multiplied with ten to lie between 1 and 10; negative for division. */
function powersFor(magnitude: number): number {
  let power = 0;
  if (magnitude >= 1) {
    while (magnitude >= (powers[1 - power] as number)) power--;
  } else {
    power = 1;
    while (magnitude * (powers[power] as number) < 1) power++;
  }
  return power;
}

function float(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${text}.0` : text;
}
