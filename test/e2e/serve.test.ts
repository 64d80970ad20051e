import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../crds/model-service.ts';
import { city as sharedCity } from './city.ts';
import { hours } from './clients.ts';
import { conditionOf, ServedModel } from './served-model.ts';
import { watchWhile } from './watch.ts';

const rows = hours(24).map(({ features }) => features);

describe('a served model', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'serve');
  });
  afterAll(async () => await traffic?.close());

  const ask = async (
    path: string,
    body?: string | Buffer<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => {
    const method = body === undefined ? 'GET' : 'POST';
    const signal = AbortSignal.timeout(30_000);
    return await fetch(`${traffic.url}${path}`, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
  };
  const predict = (body: string | Buffer<ArrayBuffer>) => ask('/v1/models/traffic:predict', body);
  const infer = (body: string | Buffer<ArrayBuffer>, headers?: Record<string, string>) =>
    ask('/v2/models/traffic/infer', body, headers);

  test('is ready once it has answered an inference, and not before', async () => {
    await traffic.apply();
    const states = await watchWhile<ModelService>(traffic, ['modelservice', 'traffic'], async () => {
      await traffic.untilReady(1);
      const metrics = await (await ask('/metrics')).text();
      // No client has asked yet: the one run of the engine is the server's own.
      const [, busySeconds] = /^aicity_engine_busy_seconds_total (\S+)/m.exec(metrics) ?? [];
      expect(Number(busySeconds)).toBeGreaterThan(0);
    });
    const firstReady = states.findIndex(
      ({ status }) => status && conditionOf(status, 'Ready')?.status === 'True',
    );
    expect(states.slice(0, firstReady).map(({ status }) => status?.readyReplicas ?? 0)).not.toContain(1);
    expect(states[firstReady]?.status).toMatchObject({
      readyReplicas: 1,
      readyOfWanted: '1/1',
      url: `http://traffic.${traffic.namespace}.svc`,
      model: { version: '1', format: 'TFJSLayers', digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
    });
  });

  test('says in `kubectl get` whether it is well', async () => {
    await traffic.city.until('the row says so', 60, async () => {
      const [head, row = ''] = (await traffic.kubectl(['get', 'ms'])).split('\n');
      expect(head).toMatch(/^NAME +READY +VERSION +LOAD% +REASON +AGE$/);
      expect(row).toMatch(/^traffic +1\/1 +1 +\d+ +Serving +\S+$/);
      return true;
    });
  });

  test('answers the same in every form that its protocols have', async () => {
    const columns = Object.fromEntries(
      (['calendar', 'weather', 'history'] as const).map((name) => [name, rows.map((row) => row[name])]),
    );
    const tensors = Object.entries(columns).map(([name, values]) => ({
      ...{ name, datatype: 'FP32', shape: [rows.length, values[0]!.length] },
      data: values.flat(),
    }));
    const row = await json(predict(JSON.stringify({ instances: rows })));
    const column = await json(predict(JSON.stringify({ inputs: columns })));
    const oip = await json(infer(JSON.stringify({ id: 'tomorrow', inputs: tensors })));
    const raw = await infer(...binary(tensors));

    const expected = (row['predictions'] as number[][]).flat();
    expect(expected).toHaveLength(24);
    expect(new Set(expected).size).toBeGreaterThan(12);
    expect((column['outputs'] as number[][]).flat()).toEqual(expected);
    expect(oip).toMatchObject({ model_name: 'traffic', model_version: '1', id: 'tomorrow' });
    const [output] = oip['outputs'] as { datatype: string; shape: number[]; data: number[] }[];
    expect(output).toMatchObject({ datatype: 'FP32', shape: [24, 1] });
    expect(output!.data).toEqual(expected);
    expect(await floatsAfterHeader(raw)).toEqual(expected.map(Math.fround));
  });

  const good = rows[0]!;
  const binaryGarbage = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 167 + 13) % 256));
  const mistakes: [what: string, status: number, sentence: RegExp, send: () => Promise<Response>][] = [
    [
      'a row of a wrong rank',
      400,
      /calendar.*found.*expected/,
      () => predict(instances({ ...good, calendar: [[1, 2, 3, 4, 5]] })),
    ],
    [
      'a row of a wrong size',
      400,
      /calendar.*\[1,4\] found.*\[-1,5\] expected/,
      () => predict(instances({ ...good, calendar: [1, 2, 3, 4] })),
    ],
    [
      'text in place of a number',
      400,
      /weather/,
      () => predict(instances({ ...good, weather: ['wet', 1, 1, 1, 1] })),
    ],
    ['NaN', 400, /NaN found/, () => predict(instances(good).replace(/\[\d+/, '[NaN'))],
    [
      'an input left out',
      400,
      /"history" is missing/,
      () => predict(instances({ ...good, history: undefined })),
    ],
    ['a tensor of a wrong rank', 400, /calendar.*found.*expected/, () => infer(tensor([1, 1, 5], 5))],
    [
      'a shape that its data do not fill',
      400,
      /5 elements found, 15 expected for shape \[3,5\]/,
      () => infer(tensor([3, 5], 5)),
    ],
    [
      'a shape of 10^18 rows',
      400,
      /shape\[0\]: the number 1000000000000000000 found, a whole number/,
      () => infer(tensor([1e18, 5], 5)),
    ],
    ['100 MB', 413, /104857600 bytes.*at most 67108864/, () => predict(Buffer.alloc(100 * 2 ** 20, '['))],
    ['a document that breaks off', 400, /JSON/, () => predict(instances(good).slice(0, -9))],
    ['a document a million levels deep', 400, /.{20}/, () => predict('['.repeat(1_000_000))],
    ['binary garbage', 400, /JSON|UTF-8/, () => predict(binaryGarbage)],
    [
      'binary garbage after a header',
      400,
      /.{20}/,
      () => infer(binaryGarbage, { 'inference-header-content-length': '17' }),
    ],
    [
      'another model',
      404,
      /this server serves "traffic"/,
      () => ask('/v1/models/flow:predict', instances(good)),
    ],
    [
      'another version',
      404,
      /version 1 is served/,
      () => ask('/v1/models/traffic/versions/7:predict', instances(good)),
    ],
  ];

  test.each(mistakes)('refuses %s in a sentence and lives on', async (_what, status, sentence, send) => {
    const response = await send();
    const { error } = (await response.json()) as { error: string };
    expect({ status: response.status, error }).toEqual({ status, error: expect.stringMatching(sentence) });
    expect((await predict(instances(good))).status).toBe(200);
  });

  test.each([
    [
      'a body that breaks off',
      'POST /v1/models/traffic:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"inst',
    ],
    ['binary garbage on the wire', Buffer.concat([Buffer.from([0x16, 0x03, 0x01]), binaryGarbage])],
  ])('answers %s with 400', async (_what, bytes) => {
    expect(await exchange(new URL(traffic.url), bytes)).toMatch(/^HTTP\/1\.1 400 [\s\S]*"error":"[^"]{20,}"/);
    expect((await predict(instances(good))).status).toBe(200);
  });

  test('has survived all of that in one process', async () => {
    expect(await traffic.untilReady(1)).toMatchObject({ readyOfWanted: '1/1' });
    expect(await traffic.pods()).toEqual([expect.objectContaining({ restarts: 0, ready: true })]);
  });
});

const instances = (row: object) => JSON.stringify({ instances: [row] });

/** The calendar in another shape; the other inputs as they should be. */
function tensor(shape: number[], elements: number): string {
  const of = (name: string, shape: number[], elements: number) => ({
    ...{ name, datatype: 'FP32', shape },
    data: Array.from({ length: elements }, () => 1),
  });
  return JSON.stringify({
    inputs: [of('calendar', shape, elements), of('weather', [1, 5], 5), of('history', [1, 5], 5)],
  });
}

/** The binary extension of the Open Inference Protocol: a JSON header, then the tensors' bytes. */
function binary(
  tensors: { name: string; datatype: string; shape: number[]; data: number[] }[],
): [Buffer<ArrayBuffer>, Record<string, string>] {
  const inputs = tensors.map(({ data, ...tensor }) => ({
    ...tensor,
    parameters: { binary_data_size: data.length * 4 },
  }));
  const header = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const bytes = tensors.map(({ data }) => Buffer.from(Float32Array.from(data).buffer));
  return [
    Buffer.concat([header, ...bytes]),
    { 'content-type': 'application/octet-stream', 'inference-header-content-length': `${header.length}` },
  ];
}

async function floatsAfterHeader(response: Response): Promise<number[]> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length'));
  expect(length).toBeGreaterThan(0);
  const floats = bytes.subarray(length);
  return Array.from({ length: floats.length / 4 }, (_, at) => floats.readFloatLE(at * 4));
}

async function json(answer: Promise<Response>): Promise<Record<string, unknown>> {
  const response = await answer;
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status: 200 });
  return JSON.parse(text) as Record<string, unknown>;
}

/** Sends bytes, ends its side of the connection, and returns all that comes back. */
async function exchange({ hostname, port }: URL, bytes: string | Buffer): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer within 30 s')));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}
