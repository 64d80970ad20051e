/**
 * Requests that a model brings along to be warmed up with:
 *
 * - `assets.extra/tf_serving_warmup_requests`: TFRecords of `PredictionLog`, as TensorFlow Serving reads them
 *   (https://www.tensorflow.org/tfx/serving/saved_model_warmup); those that are no predict logs are passed over;
 * - `warmup.json`: a list of Open Inference Protocol requests, each with `signature_name` where it is not the default one.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Field, fieldsOf, textOf } from '../engine/protobuf.ts';
import { readTensorProto } from '../engine/tensor-proto.ts';
import { decodeInfer } from '../protocol/infer.ts';
import type { NamedTensors, Signature, Tensor } from '../protocol/tensor.ts';
import { LoadError } from '../repository/load-error.ts';

export interface RecordedRequest {
  /** How messages call it. */
  readonly place: string;
  readonly signature: string;
  readonly inputs: NamedTensors;
}

const RECORDS = 'assets.extra/tf_serving_warmup_requests';
const REQUESTS = 'warmup.json';
/** As TensorFlow Serving: a warm-up is no replay of a day. */
const MOST_REQUESTS = 1000;

/**
 * @param defaultName the signature that requests mean that name none.
 * @throws LoadError WarmUpFailed when there is a file that is none of the above.
 */
export async function readRecordedRequests(
  directory: string,
  signatures: ReadonlyMap<string, Signature>,
  defaultName: string,
): Promise<RecordedRequest[]> {
  const records = await contentOf(join(directory, RECORDS));
  const requests = await contentOf(join(directory, REQUESTS));
  return [
    ...(records ? explained(RECORDS, () => fromRecords(records, defaultName)) : []),
    ...(requests ? explained(REQUESTS, () => fromJson(requests, signatures, defaultName)) : []),
  ];
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function explained<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new LoadError('WarmUpFailed', `${file} cannot be read: ${(error as Error).message}`);
  }
}

function fromRecords(file: Buffer, defaultName: string): RecordedRequest[] {
  const found: RecordedRequest[] = [];
  let index = 0;
  for (const record of recordsOf(file)) {
    if (++index > MOST_REQUESTS) throw new RangeError(`more than ${MOST_REQUESTS} records`);
    const log = only(record, 6);
    const request = log && only(log, 1);
    if (request)
      found.push({ place: `record ${index} of ${RECORDS}`, ...predictRequest(request, defaultName) });
  }
  return found;
}

/** TFRecord: length, checksum of the length, data, checksum of the data; the files' digest outdoes the checksums. */
function* recordsOf(file: Buffer): Generator<Uint8Array> {
  const [head, tail] = [12, 4];
  let at = 0;
  while (at < file.length) {
    if (at + head > file.length) throw new RangeError('the last record is cut off');
    const length = Number(file.readBigUInt64LE(at));
    if (length > file.length - at - head - tail) throw new RangeError('the last record is cut off');
    yield file.subarray(at + head, at + head + length);
    at += head + length + tail;
  }
}

function predictRequest(message: Uint8Array, defaultName: string) {
  const inputs = new Map<string, Tensor>();
  let signature = defaultName;
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) signature = signatureIn(bytes) || defaultName;
    if (number !== 2) continue;
    const [key, value] = [only(bytes, 1), only(bytes, 2)];
    if (key && value) inputs.set(Buffer.from(key).toString(), readTensorProto(value));
  }
  return { signature, inputs };
}

function signatureIn(modelSpec: Uint8Array): string {
  let name: Field | undefined;
  for (const field of fieldsOf(modelSpec)) if (field.number === 3) name = field;
  return name ? textOf(name) : '';
}

/** The content of the one field of this number. */
function only(message: Uint8Array, number: number): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  for (const field of fieldsOf(message)) if (field.number === number) found = field.bytes;
  return found;
}

function fromJson(
  file: Buffer,
  signatures: ReadonlyMap<string, Signature>,
  defaultName: string,
): RecordedRequest[] {
  const requests: unknown = JSON.parse(file.toString());
  if (!Array.isArray(requests) || requests.length > MOST_REQUESTS) {
    throw new RangeError(`expected a list of at most ${MOST_REQUESTS} requests`);
  }
  return requests.map((request: { signature_name?: unknown }, index) => {
    const name = String(request?.signature_name ?? defaultName);
    const signature = signatures.get(name);
    if (!signature) {
      const known = [...signatures.keys()].map((each) => `"${each}"`).join(', ');
      throw new RangeError(`[${index}].signature_name is "${name}", expected one of ${known}`);
    }
    const { inputs } = decodeInfer(Buffer.from(JSON.stringify(request)), undefined, signature);
    return { place: `request ${index + 1} of ${REQUESTS}`, signature: name, inputs };
  });
}
