/** Reading JSON that anyone may have written. */
import { invalid } from './errors.ts';

export type JsonObject = { readonly [key: string]: unknown };

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses a body that has to be one JSON object in UTF-8. Strict JSON: it has no NaN and no infinities.
 * @throws ProtocolError InvalidArgument
 */
export function parseJsonObject(body: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch (error) {
    throw invalid('', `the body is no JSON: ${(error as Error).message}${hint(body)}`);
  }
  if (!isObject(value)) throw invalid('', `the body is ${describe(value)}, a JSON object was expected`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What was found, for a message: `a string`, `null`, `a list of 3`. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** An optional string. */
export function optionalString(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(key, `${describe(value)} found, a string expected`);
  return value;
}

/** Python's and TensorFlow's writers produce tokens that are no JSON; say so rather than point at a letter. */
function hint(body: Uint8Array): string {
  const head = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 1 << 20)).toString(
    'latin1',
  );
  return /[[,:]\s*(-?Infinity|-?NaN)\b/.test(head)
    ? '. NaN and Infinity are no JSON numbers; replace missing values before the request'
    : '';
}
