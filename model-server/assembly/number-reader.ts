/**
 * Reads nested lists of JSON numbers, a window of the text after the other. This is AssemblyScript, which becomes
 * WebAssembly (`generate.ts`): strangers' bytes can harm nothing but this module's own memory. What is read is
 * exactly what `JSON.parse` would read; everything unusual is refused and left to it.
 *
 * Eight digits at a time are read as one 64-bit number: the place of the first byte that is none by the carries of an
 * addition, their value by three multiplications (D. Lemire, "Number Parsing at a Gigabyte per Second", 2021).
 */

/** The deepest nesting; deeper lists are refused. */
const MOST_DIMENSIONS: i32 = 16;
/** Of what was read: `count`, `leftOver`, `rank`, `isDone` and `areWhole` in 32 bits each, `least` and `greatest` in 64. */
export const RESULT: usize = 960;
/** Of each dimension, how long its lists are, or -1 as long as none has ended. 32-bit numbers. */
export const SIZES: usize = 1024;
/** Of each open list but the innermost, how many elements it has so far. 32-bit numbers. */
const COUNTS: usize = 1088;
/** Numbers that are not read here: index, and where their text begins and ends in the window. 32-bit numbers. */
export const LEFT_OVER: usize = 2048;
const MOST_LEFT_OVER: i32 = 1000;
/** The text, followed by eight bytes that end every number. */
export const INPUT: usize = 16384;
export const LARGEST_WINDOW: usize = 65536;
/** As many numbers, 32 or 64 bits each, as the largest window can have. */
export const VALUES: usize = 81984;

/** A number is begun only this far from the end of a window that is not the last, so that it is not cut. */
const MARGIN: usize = 128;
const GREATEST_SAFE_INTEGER: u64 = 9007199254740991;
/** Ten times what is below it, and a digit, are below 10^19, which 64 bits hold. */
const ROOM_FOR_A_DIGIT: u64 = 1000000000000000000;
const ROOM_FOR_EIGHT: u64 = 100000000000;

/** What a double holds exactly. */
const POWERS = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
  1e20, 1e21, 1e22,
]);
const WHOLE_POWERS = memory.data<u64>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000]);

const TAB: u32 = 0x09;
const NEWLINE: u32 = 0x0a;
const CARRIAGE_RETURN: u32 = 0x0d;
const SPACE: u32 = 0x20;
const PLUS: u32 = 0x2b;
const COMMA: u32 = 0x2c;
const MINUS: u32 = 0x2d;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const OPEN: u32 = 0x5b;
const CLOSE: u32 = 0x5d;
const LOWER_E: u32 = 0x65;
/** `],[` */
const NEXT_ROW: u32 = 0x5b2c5d;

/** Of the last window: how many numbers it had, and how many of them are left over. */
let count: i32 = 0;
let leftOver: i32 = 0;
/** Of all numbers so far that are not left over; 0 is between them. */
let least: f64 = 0;
let greatest: f64 = 0;
/** Whether they have no fractions. */
let areWhole: bool = true;
let rank: i32 = 0;
/** Whether the outermost list has ended. */
let isDone: bool = false;
let asSingles: bool = false;
/** How many lists are open. */
let depth: i32 = 0;
/** How many elements the innermost has. */
let inRow: i32 = 0;
let wantsValue: bool = true;

/** Before the first window: whether numbers are to be 32 bits each, rounded once from the double, or 64. */
export function begin(singles: bool): void {
  asSingles = singles;
  isDone = false;
  least = 0;
  greatest = 0;
  areWhole = true;
  rank = 0;
  depth = 0;
  inRow = 0;
  wantsValue = true;
  memory.fill(SIZES, 0xff, MOST_DIMENSIONS << 2);
}

/** Reads on in a window of so many bytes. How many were read, or -1 when this is no list of numbers. */
export function read(length: usize, isLast: bool): i32 {
  const end = INPUT + length;
  const stop = isLast ? end : end - MARGIN;
  store<u64>(end, 0);
  count = 0;
  leftOver = 0;
  let at = INPUT;
  while (at < stop && leftOver < MOST_LEFT_OVER) {
    const byte: u32 = load<u8>(at);
    if (byte === SPACE || byte === NEWLINE || byte === CARRIAGE_RETURN || byte === TAB) {
      at++;
    } else if (!wantsValue) {
      at++;
      if (byte === COMMA) wantsValue = true;
      else if (byte !== CLOSE || !close()) return -1;
      else if (isDone) break;
    } else if (byte === OPEN) {
      if (!open()) return -1;
      at++;
    } else {
      if (rank === 0) rank = depth;
      if (depth === 0 || depth !== rank) return -1;
      at = readNumbers(at, stop);
      if (at === 0 || (at >= end && !isLast)) return -1;
      wantsValue = false;
    }
  }
  store<i32>(RESULT, count);
  store<i32>(RESULT, leftOver, 4);
  store<i32>(RESULT, rank, 8);
  store<i32>(RESULT, isDone, 12);
  store<i32>(RESULT, areWhole, 16);
  store<f64>(RESULT, least, 24);
  store<f64>(RESULT, greatest, 32);
  return <i32>(at - INPUT);
}

function open(): bool {
  if (depth === MOST_DIMENSIONS || (rank > 0 && depth === rank)) return false;
  store<i32>(COUNTS + ((<usize>depth) << 2), 0);
  depth++;
  inRow = 0;
  return true;
}

/** Whether the list that ends is as long as the others beside it. */
function close(): bool {
  depth--;
  const size = depth === rank - 1 ? inRow : load<i32>(COUNTS + ((<usize>depth) << 2));
  const known = sizeAt(depth);
  if (known < 0) store<i32>(SIZES + ((<usize>depth) << 2), size);
  else if (known !== size) return false;
  if (depth === 0) isDone = true;
  else countIn(depth - 1);
  return true;
}

function sizeAt(dimension: i32): i32 {
  return load<i32>(SIZES + ((<usize>dimension) << 2));
}

function countIn(dimension: i32): void {
  const place = COUNTS + ((<usize>dimension) << 2);
  store<i32>(place, load<i32>(place) + 1);
}

/** Reads numbers until something else follows than a comma or `],[` and the next one. Where that is; 0 as above. */
function readNumbers(start: usize, stop: usize): usize {
  let at = start;
  let row = inRow;
  for (;;) {
    at = readNumber(at);
    if (at === 0) return 0;
    row++;
    if (at >= stop || leftOver >= MOST_LEFT_OVER) break;
    if (load<u8>(at) === COMMA) {
      if (!beginsNumber(at + 1)) break;
      at++;
    } else {
      const ends = rank > 1 && (load<u32>(at) & 0xffffff) === NEXT_ROW && row === sizeAt(rank - 1);
      if (!ends || !beginsNumber(at + 3)) break;
      countIn(rank - 2);
      row = 0;
      at += 3;
    }
  }
  inRow = row;
  return at;
}

function beginsNumber(at: usize): bool {
  const byte: u32 = load<u8>(at);
  return isDigit(byte) || byte === MINUS;
}

function isDigit(byte: u32): bool {
  return byte - ZERO < 10;
}

/** Reads one number: its digits as a whole number, and the power of ten that it is to be multiplied with. */
@inline
function readNumber(first: usize): usize {
  let at = first;
  let byte: u32 = load<u8>(at);
  const isNegative = byte === MINUS;
  if (isNegative) byte = load<u8>(++at);
  if (!isDigit(byte)) return 0;
  let whole: u64 = byte - ZERO;
  let isKnown = true;
  byte = load<u8>(++at);
  if (whole === 0 && isDigit(byte)) return 0;
  while (isDigit(byte)) {
    if (whole < ROOM_FOR_A_DIGIT) whole = whole * 10 + (byte - ZERO);
    else isKnown = false;
    byte = load<u8>(++at);
  }

  let exponent: i32 = 0;
  if (byte === DOT) {
    const fraction = ++at;
    while (whole < ROOM_FOR_EIGHT) {
      const text = load<u64>(at) ^ 0x3030303030303030;
      const others = ((text + 0x7676767676767676) | text) & 0x8080808080808080;
      if (others === 0) {
        whole = whole * 100000000 + eightDigits(text);
        at += 8;
      } else {
        const digits = <usize>(ctz(others) >> 3);
        if (digits > 0) {
          whole = whole * load<u64>(WHOLE_POWERS + (digits << 3)) + eightDigits(text << ((8 - digits) << 3));
        }
        at += digits;
        break;
      }
    }
    for (byte = load<u8>(at); isDigit(byte); byte = load<u8>(++at)) {
      if (whole < ROOM_FOR_A_DIGIT) whole = whole * 10 + (byte - ZERO);
      else isKnown = false;
    }
    exponent = <i32>(fraction - at);
    if (exponent === 0) return 0;
  }
  if ((byte | 0x20) === LOWER_E) {
    byte = load<u8>(++at);
    const isSmall = byte === MINUS;
    if (isSmall || byte === PLUS) byte = load<u8>(++at);
    if (!isDigit(byte)) return 0;
    let power: i32 = 0;
    while (isDigit(byte)) {
      power = min(power * 10 + <i32>(byte - ZERO), 9999);
      byte = load<u8>(++at);
    }
    exponent += isSmall ? -power : power;
  }

  let value: f64 = 0;
  if (isKnown && exponent >= -22 && exponent <= 22) {
    const power = load<f64>(POWERS + ((<usize>abs(exponent)) << 3));
    // Up to 2^53 and such a power are exact, so one operation rounds as it should.
    value = exponent < 0 ? <f64>whole / power : <f64>whole * power;
    if (whole > GREATEST_SAFE_INTEGER) {
      // More digits are off by a few steps of a double. That does not matter for 32 bits, unless it is near the
      // middle between two of them.
      isKnown =
        asSingles && value < 3.4e38 && <f32>(value * (1 - 2 ** -49)) === <f32>(value * (1 + 2 ** -49));
    }
  } else isKnown = false;
  keep(isNegative ? -value : value, isKnown, first, at);
  return at;
}

/** The digits, the first in the lowest byte, each less the byte of zero. */
function eightDigits(text: u64): u64 {
  const pairs = (text * 2561) >> 8;
  const fours = ((pairs & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return ((fours & 0x0000ffff0000ffff) * 42949672960001) >> 32;
}

function keep(value: f64, isKnown: bool, first: usize, end: usize): void {
  if (!isKnown) {
    const place = LEFT_OVER + <usize>leftOver * 12;
    store<i32>(place, count);
    store<i32>(place, <i32>(first - INPUT), 4);
    store<i32>(place, <i32>(end - INPUT), 8);
    leftOver++;
  } else {
    if (value > greatest) greatest = value;
    else if (value < least) least = value;
    if (trunc(value) !== value) areWhole = false;
  }
  if (asSingles) store<f32>(VALUES + (<usize>count << 2), <f32>value);
  else store<f64>(VALUES + (<usize>count << 3), value);
  count++;
}
