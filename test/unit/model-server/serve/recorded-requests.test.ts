import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { startEngine } from '../../../../model-server/engine/host.ts';
import { readTensorProto } from '../../../../model-server/engine/tensor-proto.ts';
import type { Signature } from '../../../../model-server/protocol/tensor.ts';
import { readRecordedRequests } from '../../../../model-server/serve/recorded-requests.ts';
import { warmUp } from '../../../../model-server/serve/warm-up.ts';
import { bytes, entry, message, number, varint } from '../../../bench/protobuf-writer.ts';
import { prepareTensorflow } from './server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
jest.setTimeout(60_000);

let directory: string;
beforeAll(prepareTensorflow, BUILD_MILLISECONDS);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

const signature = (name: string): Signature => ({
  ...{ name, methodName: 'tensorflow/serving/predict', outputs: [] },
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1], tensorName: 'x:0' }],
});
const signatures = new Map(['serving_default', 'other'].map((name) => [name, signature(name)]));
const read = () => readRecordedRequests(directory, signatures, 'serving_default');

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), content);
}

/** DT_FLOAT of the shape [n], as raw bytes. */
const floats = (...values: number[]) => [
  number(1, 1),
  message(2, message(2, number(1, values.length))),
  bytes(4, new Uint8Array(Float32Array.from(values).buffer)),
];
const predictLog = (spec: Uint8Array[], ...values: number[]) =>
  message(6, message(1, message(1, ...spec), entry(2, 'x', ...floats(...values))));

/** A TFRecord; nobody here reads its checksums. */
function record(content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([head, content, Buffer.alloc(4)]);
}
const RECORDS = 'assets.extra/tf_serving_warmup_requests';

test('predict logs of TensorFlow Serving are read, others passed over', async () => {
  const named = predictLog([bytes(1, 'traffic'), bytes(3, 'other')], 3, 4);
  const classify = message(2, message(1, bytes(1, 'x')));
  await write(RECORDS, Buffer.concat([predictLog([bytes(1, 'traffic')], 1, 2), classify, named].map(record)));
  const requests = await read();
  expect(requests.map(({ place, signature: name }) => [place, name])).toEqual([
    [`record 1 of ${RECORDS}`, 'serving_default'],
    [`record 3 of ${RECORDS}`, 'other'],
  ]);
  expect(requests[1]?.inputs).toEqual(
    new Map([['x', { datatype: 'FP32', shape: [2], data: Float32Array.from([3, 4]) }]]),
  );
});

test('requests of the Open Inference Protocol are read', async () => {
  const inputs = [{ name: 'x', shape: [2], datatype: 'FP32', data: [1, 2] }];
  await write('warmup.json', JSON.stringify([{ inputs }, { signature_name: 'other', inputs }]));
  expect((await read()).map(({ place, signature: name }) => `${place} to ${name}`)).toEqual([
    'request 1 of warmup.json to serving_default',
    'request 2 of warmup.json to other',
  ]);
});

test('most models bring nothing', async () => expect(await read()).toEqual([]));

test.each<[string, string, string | Uint8Array, RegExp]>([
  ['no JSON', 'warmup.json', '[', /^warmup.json cannot be read: .*JSON/],
  ['no list', 'warmup.json', '{}', /^warmup.json cannot be read: expected a list/],
  ['no request', 'warmup.json', '[3]', /^warmup.json cannot be read: ./],
  [
    'no such signature',
    'warmup.json',
    '[{"signature_name":"a"}]',
    /\[0\].signature_name is "a", expected one of "serving/,
  ],
  ['cut off', RECORDS, record(predictLog([], 1)).slice(0, 20), /the last record is cut off/],
  ['no protobuf', RECORDS, record(Buffer.from([0xff, 0xff])), /^assets.extra.* cannot be read: /],
])('%s is said', async (_what, path, content, sentence) => {
  await write(path, content);
  await expect(read()).rejects.toMatchObject({
    reason: 'WarmUpFailed',
    message: expect.stringMatching(sentence),
  });
});

describe('a tensor', () => {
  const shape = (...sizes: number[]) => message(2, ...sizes.map((size) => message(2, number(1, size))));
  const packed = (field: number, values: Uint8Array) => bytes(field, values);

  test.each<[string, Uint8Array[], unknown]>([
    [
      'packed floats',
      [number(1, 1), shape(2), packed(5, new Uint8Array(Float32Array.from([1, 2]).buffer))],
      [1, 2],
    ],
    [
      'one double for all',
      [number(1, 2), shape(3), packed(6, new Uint8Array(Float64Array.of(5).buffer))],
      [5, 5, 5],
    ],
    ['ints one by one', [number(1, 3), shape(2), number(7, 3), number(7, -4)], [3, -4]],
    ['packed int64', [number(1, 9), shape(2), packed(10, Buffer.concat([varint(7), varint(-1)]))], [7n, -1n]],
    ['bools', [number(1, 10), shape(2), number(11, 1), number(11, 0)], [1, 0]],
    ['halves', [number(1, 19), shape(1), number(13, 0x3c00)], [0x3c00]],
    ['nothing but a shape', [number(1, 1), shape(2)], [0, 0]],
    ['a scalar', [number(1, 3), number(7, 9)], [9]],
  ])('of %s', (_what, fields, values) => {
    expect([...(readTensorProto(Buffer.concat(fields)).data as Float32Array)]).toEqual(values);
  });

  test('of texts', () => {
    const { data } = readTensorProto(Buffer.concat([number(1, 7), shape(2), bytes(8, 'a'), bytes(8, 'é')]));
    expect((data as Uint8Array[]).map((text) => Buffer.from(text).toString())).toEqual(['a', 'é']);
  });

  test('of anything gives a tensor or an error, at once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (content) => {
        try {
          readTensorProto(content);
        } catch (error) {
          expect((error as Error).message).not.toBe('');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('a real model is warmed up with them, and one that it does not answer is said', async () => {
  const engine = startEngine();
  const plus = fileURLToPath(new URL('../../../fixtures/models/plus/', import.meta.url));
  const model = await engine.load('plus', plus);
  const [input] = model.signatures.get('serving_default')!.inputs;
  const request = (shape: number[]) => ({
    inputs: [
      { name: input!.name, shape, datatype: 'FP32', data: shape.flatMap((size) => new Array(size).fill(1)) },
    ],
  });
  try {
    await write('warmup.json', JSON.stringify([request([2])]));
    const recorded = await readRecordedRequests(directory, model.signatures, 'serving_default');
    await warmUp(engine, model, { requests: 1, maxBatchSize: 4, recorded });
    const wrong = recorded.map((each) => ({ ...each, inputs: new Map() }));
    await expect(
      warmUp(engine, model, { requests: 1, maxBatchSize: 4, recorded: wrong }),
    ).rejects.toMatchObject({
      reason: 'WarmUpFailed',
      message: expect.stringMatching(/^the model does not answer request 1 of warmup.json: /),
    });
  } finally {
    await engine.close();
  }
});
