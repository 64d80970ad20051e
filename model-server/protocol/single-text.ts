/**
 * FP32 as JSON text, with as few of seven, eight or nine digits as give the same value back; nine always do. Written as
 * bytes: to make a string of each number and to join the strings takes several times as long. Pure.
 */

const [zero, point, minus, comma, open, close] = [0x30, 0x2e, 0x2d, 0x2c, 0x5b, 0x5d];

/** Holds text until it is long enough to be made a string. */
const scratch = Buffer.alloc(32 << 10);
/** Leaves room for a number, at most 24 bytes, and a bracket for each of TensorFlow's at most 254 dimensions. */
const fullAt = scratch.length - 512;

/** Powers of ten that a double holds exactly. */
const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** One number. */
export function singleText(value: number): string {
  return scratch.toString('latin1', 0, writeSingle(0, value));
}

/**
 * Numbers in nested lists.
 * @param shape of the lists; at least one dimension.
 * @param from the first number, row-major.
 */
export function nestedSingles(values: Float32Array, shape: readonly number[], from: number): string {
  const last = shape.length - 1;
  let text = '';
  let at = 0;
  let next = from;
  const flush = () => {
    text += scratch.toString('latin1', 0, at);
    at = 0;
  };
  const writeList = (dimension: number): void => {
    const size = shape[dimension] as number;
    scratch[at++] = open;
    for (let i = 0; i < size; i++) {
      if (i > 0) scratch[at++] = comma;
      if (at > fullAt) flush();
      if (dimension === last) at = writeSingle(at, values[next++] as number);
      else writeList(dimension + 1);
    }
    scratch[at++] = close;
  };
  writeList(0);
  return text + scratch.toString('latin1', 0, at);
}

/** @returns where the text ends. */
function writeSingle(start: number, value: number): number {
  const magnitude = Math.abs(value);
  let at = start;
  if (Number.isInteger(value)) {
    if (magnitude >= 1e9) return writeText(at, float(value));
    if (value < 0 || Object.is(value, -0)) scratch[at++] = minus;
    at = writeWhole(at, magnitude, digitsOf(magnitude));
    scratch[at++] = point;
    scratch[at++] = zero;
    return at;
  }
  // A whole number of so many digits, divided by a power that is exact, is the double nearest to the decimal.
  if (magnitude >= 1e-13 && magnitude < 1e7) {
    if (value < 0) scratch[at++] = minus;
    const power = powersFor(magnitude);
    for (let places = 6 + power; places < 9 + power; places++) {
      const scale = powers[places] as number;
      const whole = Math.round(magnitude * scale);
      if (Math.fround(whole / scale) === magnitude) return writeDecimal(at, whole, places);
    }
  }
  return writeText(start, Number.isFinite(value) ? short(value) : 'null');
}

/** `whole` ÷ 10^`places`, which is no whole number, without zeros at its end. `whole` has at most ten digits. */
function writeDecimal(start: number, whole: number, places: number): number {
  let [rest, left] = [whole | 0, places];
  while (rest % 10 === 0) {
    rest = (rest / 10) | 0;
    left--;
  }
  const digits = digitsOf(rest);
  let at = start;
  const exponent = left - digits + 1;
  // From here on `String` writes one.
  if (exponent > 6) return writeText(writeScientific(at, rest, digits), `e-${exponent}`);
  if (digits > left) {
    const power = powers[left] as number;
    const before = (rest / power) | 0;
    at = writeWhole(at, before, digits - left);
    scratch[at++] = point;
    return writeWhole(at, rest - before * power, left);
  }
  scratch[at++] = zero;
  scratch[at++] = point;
  for (let i = digits; i < left; i++) scratch[at++] = zero;
  return writeWhole(at, rest, digits);
}

/** The digits with a point behind the first one. */
function writeScientific(start: number, whole: number, digits: number): number {
  const end = writeWhole(start, whole, digits);
  if (digits === 1) return end;
  scratch.copyWithin(start + 2, start + 1, end);
  scratch[start + 1] = point;
  return end + 1;
}

/** So many digits of a whole number below 2^31. */
function writeWhole(start: number, whole: number, digits: number): number {
  let rest = whole | 0;
  for (let at = start + digits - 1; at >= start; at--) {
    const tenth = (rest / 10) | 0;
    scratch[at] = zero + rest - tenth * 10;
    rest = tenth;
  }
  return start + digits;
}

function writeText(at: number, text: string): number {
  return at + scratch.write(text, at, 'latin1');
}

/** Of a whole number from 0 to 2^31. */
function digitsOf(whole: number): number {
  let digits = 1;
  while (whole >= (powers[digits] as number)) digits++;
  return digits;
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

/** What is very large or extremely small, by way of texts. */
function short(value: number): string {
  for (const digits of [7, 8]) {
    const near = Number(value.toPrecision(digits));
    if (Math.fround(near) === value) return float(near);
  }
  return float(Number(value.toPrecision(9)));
}

/** A double, with a decimal point or an exponent, as TensorFlow Serving writes it. JSON has no word for what is not finite. */
export function float(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${text}.0` : text;
}
