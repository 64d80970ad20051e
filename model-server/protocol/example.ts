/**
 * JSON examples of TensorFlow Serving's classify and regress API as serialised `tf.Example`s
 * (https://www.tensorflow.org/tfx/serving/api_rest#classify_and_regress_api; field numbers of
 * tensorflow/core/example/{example,feature}.proto). Pure.
 *
 * A feature is a value or a list of values of one kind: texts and `{"b64": "…"}` become bytes, numbers with a decimal
 * point or an exponent floats, others int64. So `1.0` and `1` are different, as they are in TensorFlow Serving; a list
 * with both is one of floats.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { invalid, quoted } from './errors.ts';
import { describe, isObject, type JsonObject, parseJsonObject } from './json.ts';
import { isProblem, leafReader } from './leaves.ts';

/** A number that was written as a float, which `JSON.parse` alone would not tell. */
class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

type Feature =
  | { readonly kind: 'bytes'; readonly values: Uint8Array[] }
  | { readonly kind: 'floats'; readonly values: number[] }
  | { readonly kind: 'integers'; readonly values: bigint[] };
type Features = ReadonlyMap<string, Feature>;

const fieldOfKind = { bytes: 1, floats: 2, integers: 3 } as const;

/** What a request says besides its examples. */
export interface ExampleRequest {
  readonly signature: string | undefined;
  /** Serialised, one for each example, each with the features of the context that it does not have itself. */
  readonly examples: Uint8Array[];
}

/** @throws ProtocolError InvalidArgument */
export function decodeExamples(body: Uint8Array): ExampleRequest {
  const { signature_name: signature, examples, context, ...others } = parseKeepingKinds(body);
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw invalid(quoted(other), 'found, only "signature_name", "context" and "examples" expected');
  }
  if (signature !== undefined && typeof signature !== 'string') {
    throw invalid('signature_name', `${describe(signature)} found, a string expected`);
  }
  if (!Array.isArray(examples) || examples.length === 0) {
    throw invalid('examples', `${describe(examples)} found, a list of at least one example expected`);
  }
  const shared = context === undefined ? new Map() : featuresOf(context, 'context');
  return {
    signature: signature || undefined,
    examples: examples.map((example: unknown, index) =>
      serialised(new Map([...shared, ...featuresOf(example, `examples[${index}]`)])),
    ),
  };
}

type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown;

function parseKeepingKinds(body: Uint8Array): JsonObject {
  const keepKind: SourceReviver = (_, value, { source = '' }) => {
    if (typeof value !== 'number') return value;
    if (/[.eE]/.test(source)) return new Float(value);
    return Number.isSafeInteger(value) ? value : BigInt(source);
  };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text, keepKind as (key: string, value: unknown) => unknown);
    if (isObject(value)) return value;
  } catch {
    // Said below, in the words that all bodies are refused with.
  }
  parseJsonObject(body);
  throw invalid('', 'the body has a NaN or infinite number, which features cannot hold');
}

function featuresOf(example: unknown, field: string): Features {
  if (!isObject(example) || example instanceof Float)
    throw invalid(field, `${described(example)} found, an object expected`);
  return new Map(
    Object.entries(example).map(([name, value]) => [name, featureOf(value, `${field}.${name.slice(0, 60)}`)]),
  );
}

const readBytes = leafReader('BYTES');
const least = -(2n ** 63n);
const greatest = 2n ** 63n - 1n;

function featureOf(value: unknown, field: string): Feature {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const wrong = (index: number, expected: string) =>
    invalid(
      Array.isArray(value) ? `${field}[${index}]` : field,
      `${described(values[index])} found, ${expected} expected`,
    );
  const isNumber = (one: unknown) =>
    typeof one === 'number' || typeof one === 'bigint' || one instanceof Float;
  if (values.length > 0 && values.every(isNumber)) {
    if (values.some((one) => one instanceof Float)) {
      const floats = values.map((one) => (one instanceof Float ? one.value : Number(one)));
      const tooLarge = floats.findIndex((one) => !Number.isFinite(Math.fround(one)));
      if (tooLarge >= 0) throw wrong(tooLarge, 'a number that FP32 holds');
      return { kind: 'floats', values: floats };
    }
    const integers = values.map((one) => BigInt(one as number | bigint));
    const tooLarge = integers.findIndex((one) => one < least || one > greatest);
    if (tooLarge >= 0) throw wrong(tooLarge, 'a whole number of 64 bits');
    return { kind: 'integers', values: integers };
  }
  const bytes = values.map((one, index) => {
    if (isNumber(one) || typeof one === 'boolean') throw wrong(index, 'values of one kind: numbers or texts');
    const read = readBytes(one);
    if (isProblem(read)) throw wrong(index, 'a number, a text or {"b64": "…"}');
    return read as Uint8Array;
  });
  return { kind: 'bytes', values: bytes };
}

const described = (value: unknown) =>
  value instanceof Float || typeof value === 'bigint'
    ? `the number ${value instanceof Float ? value.value : value}`
    : describe(value);

/** A `tf.Example`: features (1) → feature map (1) → name (1), feature (2) → list of its kind → values (1). */
function serialised(features: Features): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
  for (const [name, feature] of features) {
    writer
      .tag(1, WireType.LengthDelimited)
      .fork()
      .tag(1, WireType.LengthDelimited)
      .string(name.toWellFormed());
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(fieldOfKind[feature.kind], WireType.LengthDelimited).fork();
    writeValues(writer, feature);
    writer.join().join().join();
  }
  return writer.join().finish();
}

function writeValues(writer: BinaryWriter, feature: Feature): void {
  if (feature.kind === 'bytes') {
    for (const value of feature.values) writer.tag(1, WireType.LengthDelimited).bytes(value);
    return;
  }
  writer.tag(1, WireType.LengthDelimited).fork();
  if (feature.kind === 'floats') for (const value of feature.values) writer.float(value);
  else for (const value of feature.values) writer.int64(value);
  writer.join();
}
