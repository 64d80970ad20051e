/**
 * A request's JSON with its large lists of numbers taken out: they become `NumberList`s, and `JSON.parse` reads the
 * little that is left. Pure.
 */
import { type FoundList, findNumberList, NumberList, type Precision } from './number-list.ts';

/** Below this, `JSON.parse` alone is as fast. */
const leastBytes = 1024;

const [quote, colon, backslash] = [0x22, 0x3a, 0x5c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** A private-use character. A body that has it itself, in one of its spellings, is left as it is. */
const mark = '\ue001';
const markSpellings = [mark, '\\ue001', '\\uE001'];

export interface Extracted {
  /** The body, with a text instead of each list. */
  readonly rest: Uint8Array;
  readonly lists: readonly NumberList[];
}

/**
 * Finds the lists of numbers where tensors stand, and reads them, which is nearly all the work with a large body:
 * `instances` and `inputs` themselves, what lies by name in an object that is `inputs` or a row of `instances`, and
 * `data` of an object in `inputs`.
 * @returns none when the body is small, or no JSON as far as can be seen from here.
 */
export function findNumberLists(body: Uint8Array, precision: Precision = 'FP32'): FoundList[] {
  if (body.byteLength < leastBytes) return [];
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const lists: FoundList[] = [];
  /** Brackets around the place, such as `{[{`. */
  let around = '';
  let key = '';
  let topKey = '';
  let at = 0;
  while (at < text.length) {
    const byte = text[at] as number;
    if (byte === quote) {
      const end = endOfText(text, at);
      if (end < 0) return [];
      // Whether it is a key shows at its colon; keys that matter have no escapes and are short.
      key = end - at <= 256 ? text.toString('utf8', at + 1, end - 1) : '';
      if (around === '{') topKey = key;
      at = end;
    } else if (byte === openList) {
      const found = isTensorPlace(around, topKey, key) ? findNumberList(text, at, precision) : undefined;
      if (found) {
        lists.push(found);
        at = found.end;
      } else {
        around += '[';
        at++;
      }
      key = '';
    } else if (byte === openObject) {
      around += '{';
      key = '';
      at++;
    } else if (byte === closeList || byte === closeObject) {
      around = around.slice(0, -1);
      key = '';
      at++;
    } else {
      // After a comma comes another key or element.
      if (byte !== colon && byte > 0x20) key = '';
      at++;
    }
    if (around.length > 64) return [];
  }
  return lists;
}

/**
 * Takes the lists out of the body that they were found in.
 * @returns undefined when there are none.
 */
export function extractNumberLists(body: Uint8Array, found: readonly FoundList[]): Extracted | undefined {
  if (found.length === 0) return undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const rest: Buffer[] = [];
  let kept = 0;
  for (const { start, end } of found) {
    rest.push(text.subarray(kept, start));
    kept = end;
  }
  rest.push(text.subarray(kept));
  if (rest.some((part) => markSpellings.some((spelling) => part.includes(spelling)))) return undefined;
  const places = found.map((_, index) => Buffer.from(`"${mark}${index}"`));
  return {
    rest: Buffer.concat(rest.flatMap((part, index) => [part, places[index] ?? Buffer.alloc(0)])),
    lists: found.map((list) => NumberList.of(text, list)),
  };
}

function isTensorPlace(around: string, topKey: string, key: string): boolean {
  if (key === '') return false;
  if (around === '{') return key === 'instances' || key === 'inputs';
  if (around === '{{') return topKey === 'inputs';
  if (around === '{[{') return topKey === 'instances' || (topKey === 'inputs' && key === 'data');
  return false;
}

/** Behind the closing quote; -1 when there is none. */
function endOfText(text: Buffer, start: number): number {
  for (let at = text.indexOf(quote, start + 1); at >= 0; at = text.indexOf(quote, at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return at + 1;
  }
  return -1;
}

/** Puts the lists back to where they were in the parsed rest. */
export function withLists(value: unknown, lists: readonly NumberList[]): unknown {
  if (typeof value === 'string') {
    return value.startsWith(mark) ? (lists[Number(value.slice(mark.length))] ?? value) : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const parent = value as Record<string, unknown>;
  for (const key of Object.keys(parent)) {
    const child = parent[key];
    if (typeof child === 'string' || typeof child === 'object') {
      const put = withLists(child, lists);
      if (put !== child) parent[key] = put;
    }
  }
  return value;
}
