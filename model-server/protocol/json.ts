/** Reading JSON that anyone may have written. Pure. */
import { invalid } from './errors.ts';
import { extractNumberLists, findNumberLists, withLists } from './json-body.ts';
import { type FoundList, NumberList } from './number-list.ts';

export type JsonObject = { readonly [key: string]: unknown };

/** A body, with its lists of numbers where they have been read already. */
export type JsonBody = Uint8Array | { readonly bytes: Uint8Array; readonly lists: readonly FoundList[] };

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses a body that has to be one JSON object in UTF-8. Where a large tensor stands as a list of numbers, the object
 * has a `NumberList`.
 *
 * `NaN`, `Infinity` and `-Infinity` are no JSON, but Python and TensorFlow write them. Each becomes a text that no
 * client writes, which `numberWord` reads, so that whoever refuses it can say where it stood.
 * @throws ProtocolError InvalidArgument
 */
export function parseJsonObject(body: JsonBody): JsonObject {
  const value = parse(body);
  if (!isObject(value)) throw invalid('', `the body is ${describe(value)}, a JSON object was expected`);
  return value;
}

function parse(body: JsonBody): unknown {
  const { bytes, lists } = body instanceof Uint8Array ? { bytes: body, lists: findNumberLists(body) } : body;
  const extracted = extractNumberLists(bytes, lists);
  if (extracted) {
    try {
      return withLists(JSON.parse(decoder.decode(extracted.rest)), extracted.lists);
    } catch {
      // What is wrong is better said of the text as it came.
    }
  }
  return parsePlain(bytes);
}

function parsePlain(body: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    throw invalid('', 'the body is no JSON: it is not UTF-8 text');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // Nearly every body is plain JSON: only one that is not is searched for the words.
    const marked = markNumberWords(text);
    if (marked !== text) {
      try {
        return JSON.parse(marked);
      } catch {
        // What is wrong besides the words is better said of the text as it came.
      }
    }
    throw invalid('', `the body is no JSON: ${(error as Error).message}`);
  }
}

/** A private-use character, so that no word of a client's own is taken for a number. */
const mark = '\ue000';
const numberWords: ReadonlyMap<string, number> = new Map([
  [`${mark}NaN`, Number.NaN],
  [`${mark}Infinity`, Number.POSITIVE_INFINITY],
  [`${mark}-Infinity`, Number.NEGATIVE_INFINITY],
]);

/** The number that stood in the body as a word; undefined for everything else. */
export function numberWord(value: unknown): number | undefined {
  return typeof value === 'string' ? numberWords.get(value) : undefined;
}

/** Puts the words outside of texts into quotes. */
function markNumberWords(json: string): string {
  const parts: string[] = [];
  let at = 0;
  while (at < json.length) {
    const quote = json.indexOf('"', at);
    const end = quote < 0 ? json.length : quote;
    parts.push(json.slice(at, end).replace(/-?\bInfinity\b|\bNaN\b/g, (word) => `"${mark}${word}"`));
    at = quote < 0 ? end : endOfText(json, quote);
    parts.push(json.slice(end, at));
  }
  return parts.join('');
}

/** Where the text that begins with the quote at `start` is over. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    const letter = json[at];
    if (letter === '\\') at++;
    else if (letter === '"') return at + 1;
  }
  return json.length;
}

export function isObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberList)
  );
}

/** What was found, for a message: `a string`, `null`, `a list of 3`. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof NumberList) return `a list of ${value.shape[0]}`;
  const number = typeof value === 'number' ? value : numberWord(value);
  if (number !== undefined) return `the number ${number}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** An optional string. */
export function optionalString(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(key, `${describe(value)} found, a string expected`);
  return value;
}
