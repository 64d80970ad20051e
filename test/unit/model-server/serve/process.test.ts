/** The whole server: real process, real engine, real sockets. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startOrigin } from '../repository/origin.ts';
import { writeDenseModel } from './models.ts';
import {
  eventually,
  inferOnes,
  killServers,
  metric,
  predict,
  prepareTensorflow,
  type ServerProcess,
  startServer,
} from './server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
const PATIENCE_MILLISECONDS = 120_000;
jest.setTimeout(PATIENCE_MILLISECONDS);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  await prepareTensorflow();
}, BUILD_MILLISECONDS);
afterAll(async () => {
  await killServers();
  await rm(directory, { recursive: true });
});

describe('a small model', () => {
  let server: ServerProcess;
  const path = '/v1/models/traffic:predict';

  beforeAll(async () => {
    await writeDenseModel(join(directory, 'small'), { width: 3, scale: 2 });
    server = await startServer([
      '--model',
      `traffic=${join(directory, 'small')}`,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
    ]);
    await server.ready();
  });
  afterAll(() => server?.kill());

  test('answers in both protocols', async () => {
    expect(await predict(server.url, [[1, 2, 3]])).toEqual({ status: 200, body: { predictions: [[12]] } });
    const answer = await inferOnes(server.url, 2, 3);
    const head = Number(answer.headers.get('inference-header-content-length'));
    const bytes = new Uint8Array(await answer.arrayBuffer());
    expect(new Float32Array(bytes.slice(head).buffer)).toEqual(Float32Array.from([6, 6]));
  });

  test.each<[string, string, string | Uint8Array, RegExp, Record<string, string>?]>([
    ['wrong rank', path, '{"instances":[1,2,3]}', /shape \[3\] found, \[-1,3\] expected/],
    ['higher rank', path, '{"instances":[[[1,2,3]]]}', /shape \[1,1,3\] found, \[-1,3\] expected/],
    ['wrong size', path, '{"instances":[[1,2]]}', /shape \[1,2\] found, \[-1,3\] expected/],
    ['ragged rows', path, '{"instances":[[1,2,3],[1,2]]}', /instances/],
    ['words', path, '{"instances":[["a","b","c"]]}', /instances/],
    ['no rows', path, '{"instances":[]}', /instances/],
    ['NaN as a word', path, '{"instances":[["NaN",1,1]]}', /instances/],
    ['null', path, '{"instances":[[null,1,1]]}', /instances/],
    ['a number too large', path, '{"instances":[[1e999,1,1]]}', /./],
    [
      'a few lists that claim to be a giant',
      path,
      `{"instances":[[${'0,'.repeat(39_999)}0]${',0'.repeat(39_999)}]}`,
      /instances\[1\]: the number 0 found, a list of 40000 expected/,
    ],
    ['cut JSON', path, '{"instances":[[1,2', /JSON/],
    ['nested without end', path, `{"instances":${'['.repeat(200_000)}`, /./],
    ['empty', path, '', /./],
    ['garbage', path, Uint8Array.from({ length: 4096 }, (_, index) => (index * 97) % 256), /JSON/],
    [
      'no such signature',
      path,
      '{"signature_name":"x","instances":[[1,2,3]]}',
      /"x" found, expected one of "serving_default"/,
    ],
    [
      'other inputs',
      '/v2/models/traffic/infer',
      '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}',
      /"x"/,
    ],
    [
      'a lying shape',
      '/v2/models/traffic/infer',
      '{"inputs":[{"name":"dense_input","shape":[9,3],"datatype":"FP32","data":[1,2,3]}]}',
      /3 elements found|27/,
    ],
    [
      'an absurd shape',
      '/v2/models/traffic/infer',
      '{"inputs":[{"name":"dense_input","shape":[99999999999,3],"datatype":"FP32","data":[1]}]}',
      /./,
    ],
    [
      'a negative shape',
      '/v2/models/traffic/infer',
      '{"inputs":[{"name":"dense_input","shape":[-1,3],"datatype":"FP32","data":[1]}]}',
      /shape/,
    ],
    [
      'a raw tensor that is cut',
      '/v2/models/traffic/infer',
      new Uint8Array(13),
      /./,
      { 'inference-header-content-length': '0' },
    ],
    [
      'a wrong header length',
      '/v2/models/traffic/infer',
      '{}',
      /./,
      { 'inference-header-content-length': '99' },
    ],
  ])('%s: 400 with a sentence', async (_what, to, body, sentence, headers = {}) => {
    const answer = await fetch(`${server.url}${to}`, { method: 'POST', body: Buffer.from(body), headers });
    const { error } = (await answer.json()) as { error: string };
    expect([answer.status, error]).toEqual([400, expect.stringMatching(sentence)]);
    expect((await predict(server.url, [[1, 1, 1]])).body).toEqual({ predictions: [[6]] });
  });

  test('100 MB: 413 with a sentence', async () => {
    const answer = await fetch(`${server.url}${path}`, {
      method: 'POST',
      body: Buffer.alloc(100_000_000, '1'),
    });
    expect([answer.status, await answer.json()]).toEqual([
      413,
      { error: expect.stringContaining('at most 67108864') },
    ]);
  });

  test('a large body within the bound is answered, and others are meanwhile', async () => {
    const rows = 1_000_000;
    const large = inferOnes(server.url, rows, 3);
    const small = await predict(server.url, [[1, 1, 1]]);
    expect(small.status).toBe(200);
    expect((await (await large).arrayBuffer()).byteLength).toBeGreaterThan(4 * rows);
  });

  test('a body that breaks off: 400', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.end(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"instances"`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1.1 400 .*broke off/s);
  });

  test.each([
    [404, '/v1/models/other:predict', 'POST', /Servable not found for request: Latest\(other\)/],
    [404, '/v1/models/traffic/versions/9:predict', 'POST', /Specific\(traffic, 9\); version 1 is served/],
    [404, '/nowhere', 'GET', /GET \/ shows what there is/],
    [405, path, 'GET', /takes POST/],
  ])('%d %s', async (status, to, method, sentence) => {
    const answer = await fetch(`${server.url}${to}`, {
      method,
      ...(method === 'POST' ? { body: '{}' } : {}),
    });
    expect([answer.status, await answer.json()]).toEqual([
      status,
      { error: expect.stringMatching(sentence) },
    ]);
  });

  test('shows a request that works when it is copied', async () => {
    const page = (await (await fetch(server.url)).json()) as {
      models: { signatures: { try: string }[] }[];
    };
    const [, url = '', body = ''] = /^curl (\S+) -d '(.*)'$/.exec(page.models[0]!.signatures[0]!.try) ?? [];
    const answer = await fetch(url, { method: 'POST', body });
    expect(await answer.json()).toEqual({ predictions: [[0]] });
  });

  test('has not crashed', () => {
    expect(server.child.exitCode).toBeNull();
    expect(server.log()).not.toMatch(/"level":[56]0/);
  });
});

describe('overload', () => {
  const width = 64;
  /** Rows that keep the engine busy for long, in a request that is quickly sent. */
  const heavy = 4096;
  const heavyServer = async (...flags: string[]) => {
    const place = join(directory, 'heavy');
    await writeDenseModel(place, { width, units: [2048, 2048, 2048, 2048, 1], scale: 0 });
    const server = await startServer([
      ...['--model', `traffic=${place}`, '--port', '0', '--host', '127.0.0.1', '--max-batch-size', '1'],
      ...flags,
    ]);
    await server.ready();
    return server;
  };
  const outcomeOf = async (answer: Response) => {
    const { status, headers } = answer;
    const body = answer.ok ? await answer.arrayBuffer() : await answer.json();
    return { status, retryAfter: headers.get('retry-after'), body };
  };

  test('is a bounded queue, then 429; requests of clients that go away are not computed', async () => {
    const server = await heavyServer('--queue-capacity', '8');
    const counter = (name: string) => metric(server.url, name);
    const running = inferOnes(server.url, 4 * heavy, width);
    await eventually(async () => (await counter('aicity_requests_in_flight')) === 1);
    const runs = await counter('aicity_batch_requests_count');
    const abort = new AbortController();
    const waiting = Array.from({ length: 8 }, () =>
      inferOnes(server.url, 1, width, abort.signal).catch(() => 'gone'),
    );
    await eventually(async () => (await counter('aicity_requests_queued')) === 8);
    expect(await outcomeOf(await inferOnes(server.url, 1, width))).toEqual({
      status: 429,
      retryAfter: '1',
      body: { error: expect.stringMatching(/^8 requests are waiting and spec.serving.queueCapacity is 8/) },
    });
    abort.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['gone']));
    expect((await outcomeOf(await running)).status).toBe(200);
    await eventually(async () => (await counter('aicity_requests_held_bytes')) === 0);
    expect(await counter('aicity_batch_requests_count')).toBe(runs + 1);
    expect(await counter('aicity_requests_cancelled_total')).toBe(8);
  });

  test('is bounded by the time that it takes: what comes too late is told when to come back', async () => {
    const server = await heavyServer('--max-backlog-milliseconds', '1');
    // From the first on it is known how long a row takes.
    expect((await inferOnes(server.url, heavy, width)).status).toBe(200);
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => outcomeOf(await inferOnes(server.url, heavy, width))),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    for (const { retryAfter, body } of refused) {
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
      expect(body).toEqual({ error: expect.stringMatching(/^what is waiting takes about \d+ ms/) });
    }
    // Nobody is refused for good.
    expect((await inferOnes(server.url, heavy, width)).status).toBe(200);
  });

  test('what waits too long is answered 504, and the rest is answered', async () => {
    const server = await heavyServer(
      ...['--request-timeout-seconds', '1', '--max-backlog-milliseconds', '3600000'],
    );
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => outcomeOf(await inferOnes(server.url, heavy, width))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 504]));
    for (const { status, body } of answers) {
      if (status === 504) expect(body).toEqual({ error: expect.stringContaining('requestTimeoutSeconds') });
    }
  });
});

test('readiness can be waited for while the server starts, and is told at once to all who wait', async () => {
  await writeDenseModel(join(directory, 'waited'), { width: 64, scale: 1 });
  const server = await startServer([
    '--model',
    `traffic=${join(directory, 'waited')}`,
    '--port',
    '0',
    '--host',
    '127.0.0.1',
  ]);
  const ask = async (query: string) => {
    const answer = await fetch(`${server.url}/v2/health/ready${query}`);
    return [answer.status, await answer.json()];
  };
  // Many more than the listeners that Node takes for a leak.
  const waiting = await Promise.all(Array.from({ length: 50 }, () => ask('?waitSeconds=10')));
  expect(new Set(waiting.map((each) => JSON.stringify(each)))).toEqual(new Set(['[200,{"ready":true}]']));
  expect(await ask('?waitSeconds=60')).toEqual([
    400,
    { error: expect.stringMatching(/waitSeconds: "60" found, seconds from 0 to 10 expected/) },
  ]);
  expect(server.log()).not.toContain('MaxListenersExceeded');
});

test('a drain under load loses nothing and ends with 0', async () => {
  await writeDenseModel(join(directory, 'drained'), { width: 64, scale: 1 });
  const server = await startServer(
    ['--model', `traffic=${join(directory, 'drained')}`, '--port', '0', '--host', '127.0.0.1'],
    // Until the second signal.
    { MODEL_SERVER_DRAIN_LAG_SECONDS: '100' },
  );
  await server.ready();
  const row = new Array(64).fill(1);
  let answered = 0;
  const lost: unknown[] = [];
  let isRouted = true;
  const client = async () => {
    while (isRouted) {
      try {
        const answer = await predict(server.url, [row]);
        if (answer.status === 200) answered++;
        else lost.push(answer);
      } catch (error) {
        lost.push(error);
      }
    }
  };
  const clients = Array.from({ length: 16 }, client);
  /** Each client has asked some times more. */
  const moreAnswers = async () => {
    const enough = answered + 160;
    await eventually(async () => answered > enough || lost.length > 0);
  };
  await moreAnswers();
  server.child.kill('SIGTERM');
  await eventually(async () => (await fetch(`${server.url}/v2/health/ready`)).status === 503);
  // A balancer hears of it a moment later, within the lag, and sends no more.
  await moreAnswers();
  isRouted = false;
  await Promise.all(clients);
  expect(lost).toEqual([]);
  server.child.kill('SIGTERM');
  expect(await server.exit).toBe(0);
});

test('a SavedModel is fetched over http, verified, and served from the cache when its origin is gone', async () => {
  const fixture = fileURLToPath(new URL('../../../fixtures/models/plus/', import.meta.url));
  const names = ['saved_model.pb', 'variables/variables.index', 'variables/variables.data-00000-of-00001'];
  const files = Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [`m/5/${name}`, await readFile(join(fixture, name))] as const),
    ),
  );
  const origin = await startOrigin(files);
  const args = [
    '--model',
    `traffic=${origin.url}/m`,
    '--model-version',
    '5',
    '--port',
    '0',
    '--host',
    '127.0.0.1',
  ];
  args.push('--cache-directory', join(directory, 'cache'));
  const answersFrom = async (server: ServerProcess) => {
    await server.ready();
    const answer = await fetch(`${server.url}/v1/models/traffic/versions/5:predict`, {
      method: 'POST',
      body: JSON.stringify({ instances: [2, 4] }),
    });
    expect(await answer.json()).toEqual({ predictions: [3, 4] });
    await server.kill();
  };
  await answersFrom(await startServer(args));
  await origin.close();
  await answersFrom(await startServer(args));
});

describe('a wrong start', () => {
  test.each([
    [[], /--model NAME=PATH_OR_ADDRESS is missing/],
    [['--model', 'traffic'], /--model is "traffic"; expected NAME=PATH_OR_ADDRESS/],
    [['--model', 'm=ftp://x'], /--model is "ftp:\/\/x": expected https/],
    [['--model', 'm=.', '--port', 'many'], /--port is "many"; expected a whole number from 0 to 65535/],
    [['--model', 'm=.', '--format', 'ONNX'], /--format/],
    [['--nonsense'], /--nonsense.*--help shows all flags/s],
  ])('%j', async (args, sentence) => {
    const { message } = await startServer(args).then(
      () => new Error('it started'),
      (error: Error) => error,
    );
    expect(message).toMatch(/^the server ended with 2: /);
    expect(message).toMatch(sentence);
  });

  test('a place without a model is said, and the process goes on', async () => {
    const server = await startServer([
      '--model',
      `traffic=${join(directory, 'nothing')}`,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
    ]);
    try {
      await eventually(async () => server.log().includes('SourceNotFound'));
      expect((await fetch(`${server.url}/v2/health/live`)).status).toBe(200);
      const answer = await predict(server.url, [[1]]);
      expect(answer).toEqual({
        status: 503,
        body: { error: expect.stringContaining('there is nothing at file://') },
      });
    } finally {
      await server.kill();
    }
  });
});
