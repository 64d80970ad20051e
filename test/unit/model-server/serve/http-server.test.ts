/** The HTTP side over real sockets, with a model that echoes and a protocol that is one line. */
import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { systemClock } from '../../../../model-server/clock.ts';
import { invalid } from '../../../../model-server/protocol/errors.ts';
import { Admission } from '../../../../model-server/serve/admission.ts';
import { type Answer, jsonAnswer } from '../../../../model-server/serve/answer.ts';
import type { Request } from '../../../../model-server/serve/batcher.ts';
import { drain } from '../../../../model-server/serve/drain.ts';
import type { HostedModel } from '../../../../model-server/serve/hosted-model.ts';
import { createHttpServer, type Protocols } from '../../../../model-server/serve/http-server.ts';
import { type Call, Inference } from '../../../../model-server/serve/inference.ts';
import { Statistics } from '../../../../model-server/serve/statistics.ts';

// Other work on the machine may take its time; nothing here measures any.
jest.setTimeout(120_000);

let server: Server;
let port: number;
let submitted: Request[];
let withdrawn: number;
let inUse: number;
let counted: string[];
let draining: boolean;
let queued: number;
let admission: Admission;
/** Whether the engine answers by itself. */
let answers: boolean;
/** Requests that are read elsewhere. */
let readings: { resolve(call: Call<Answer>): void; reject(error: Error): void }[];

const log = pino({ level: 'silent' });
const model = { id: 'm#1', lastInferenceAt: 0 } as HostedModel;
const path = '/v1/models/m:predict';
/** An answer that no buffer between server and client takes in. */
const LARGE = 16 << 20;

const protocols: Protocols = {
  modelFor: (route) => {
    if (route.kind === 'Forecast') return undefined;
    if (route.model !== 'm') throw invalid('', `no model ${route.model}`);
    return model;
  },
  modelIn: (_route, body) => {
    if (body.toString().includes('nobody')) throw invalid('model', 'nobody was found');
    return model;
  },
  callOf: (_route, _model, _request, body) => {
    if (body.toString().includes('bad')) throw invalid('instances', 'bad was found');
    if (body.toString().includes('elsewhere')) {
      return new Promise((resolve, reject) => readings.push({ resolve, reject }));
    }
    const answer = () =>
      body.toString().includes('large')
        ? { status: 200, contentType: 'application/octet-stream', body: Buffer.alloc(LARGE) }
        : jsonAnswer(200, { bytes: body.length });
    return { signature: 's', inputs: new Map(), answer };
  },
  answerOf: (route) => jsonAnswer(route.kind === 'Unknown' ? 404 : 200, { route: route.kind }),
};

beforeEach(async () => {
  [submitted, withdrawn, inUse, counted, draining, queued, answers] = [[], 0, 0, [], false, 0, true];
  readings = [];
  admission = new Admission({ maxBodyBytes: 1 << 20, maxHeldBytes: 2 << 20 });
  const queue = {
    capacity: 8,
    ...{ backlogMilliseconds: 0, maxBacklogMilliseconds: 2000 },
    get queued() {
      return queued;
    },
    submit: (request: Request) => {
      submitted.push(request);
      if (answers)
        setImmediate(() =>
          request.done({ outputs: new Map(), queuedMilliseconds: 0, computedMilliseconds: 0 }),
        );
      return () => withdrawn++;
    },
  };
  const models = {
    use: () => {
      inUse++;
      return () => inUse--;
    },
    get isDraining() {
      return draining;
    },
    queueOf: () => queue,
  };
  const statistics = new Statistics();
  server = createHttpServer({
    ...{ protocols, models, admission },
    inference: new Inference({ models, admission, statistics, clock: systemClock, log }),
    observer: {
      answered: (protocol, status) => counted.push(`${protocol} ${status}`),
      cancelled: () => counted.push('cancelled'),
    },
    clock: systemClock,
    log,
    // A machine that is busy takes its time over a large body.
    timeouts: { headersSeconds: 100, requestSeconds: 100 },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const post = (body: string | Uint8Array, to = path) =>
  fetch(`http://127.0.0.1:${port}${to}`, { method: 'POST', body: Buffer.from(body) });

const sentenceOf = async (answer: Response) => ((await answer.json()) as { error: string }).error;

/** A socket, and everything that it got until it was closed. */
async function raw(): Promise<{ socket: Socket; ended: Promise<string> }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(text)));
  return { socket, ended };
}

const eventually = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('requests', () => {
  test('are answered, and hold nothing afterwards', async () => {
    const answer = await post('hello');
    expect([answer.status, await answer.json()]).toEqual([200, { bytes: 5 }]);
    await eventually(() => admission.heldBytes === 0);
    expect([inUse, withdrawn, counted]).toEqual([0, 0, ['v1 200']]);
    expect(model.lastInferenceAt).toBeGreaterThan(0);
  });

  test.each([
    ['a bad body', 'bad', path, 400, 'instances: bad was found'],
    ['an unknown model', 'x', '/v2/models/other/infer', 400, 'no model other'],
  ])('%s is told so', async (_what, body, to, status, sentence) => {
    const answer = await post(body, to);
    expect([answer.status, await answer.json()]).toEqual([status, { error: sentence }]);
    await eventually(() => admission.heldBytes === 0);
    expect(submitted).toHaveLength(0);
  });

  test('use one connection', async () => {
    const { socket, ended } = await raw();
    const one = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi`;
    socket.write(one + one);
    await eventually(() => counted.length === 2);
    socket.end();
    expect((await ended).match(/HTTP\/1.1 200/g)).toHaveLength(2);
  });

  test('to a full queue are refused before their body is read, with the time to come back', async () => {
    queued = 8;
    const answer = await post('x'.repeat(100_000));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await sentenceOf(answer)).toMatch(/queueCapacity is 8/);
    expect(admission.heldBytes).toBe(0);
  });

  test('of a client that goes away are withdrawn', async () => {
    answers = false;
    const { socket } = await raw();
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi`);
    await eventually(() => submitted.length === 1);
    expect([inUse, admission.heldBytes]).toEqual([1, 2]);
    socket.destroy();
    await eventually(() => withdrawn === 1 && inUse === 0 && admission.heldBytes === 0);
    expect(counted).toEqual(['cancelled']);
  });
});

describe('a request that is read elsewhere', () => {
  const call: Call<Answer> = {
    signature: 's',
    inputs: new Map(),
    answer: () => jsonAnswer(200, { read: 1 }),
  };

  test('is answered once it was read; its model stays meanwhile', async () => {
    const answer = post('elsewhere');
    await eventually(() => readings.length === 1);
    expect([inUse, submitted.length, admission.heldBytes]).toEqual([1, 0, 9]);
    readings[0]?.resolve(call);
    expect(await (await answer).json()).toEqual({ read: 1 });
    await eventually(() => admission.heldBytes === 0);
    expect([inUse, counted]).toEqual([0, ['v1 200']]);
  });

  test('is told why it could not be read', async () => {
    const answer = post('elsewhere');
    await eventually(() => readings.length === 1);
    readings[0]?.reject(invalid('instances', 'bad was found'));
    expect([(await answer).status, await sentenceOf(await answer)]).toEqual([
      400,
      'instances: bad was found',
    ]);
    await eventually(() => admission.heldBytes === 0);
    expect([inUse, counted]).toEqual([0, ['v1 400']]);
  });

  test.each<[string, () => void]>([
    ['was read', () => readings[0]?.resolve(call)],
    ['could not be read', () => readings[0]?.reject(new Error('too late'))],
  ])('never runs when its client left before it %s', async (_what, end) => {
    const { socket } = await raw();
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nelsewhere`);
    await eventually(() => readings.length === 1);
    socket.destroy();
    await eventually(() => counted.length === 1 && inUse === 0);
    // Its body is still in memory.
    expect(admission.heldBytes).toBe(9);
    end();
    await eventually(() => admission.heldBytes === 0);
    expect((await post('hello')).status).toBe(200);
    expect([submitted.length, inUse, counted]).toEqual([1, 0, ['cancelled', 'v1 200']]);
  });
});

test('an answer that is not read counts, and no request is let in beside it', async () => {
  const socket = connect(port, '127.0.0.1').pause();
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nlarge`);
  await eventually(() => counted.length === 1);
  expect(admission.heldBytes).toBe(LARGE + 5);
  const other = await post('hello');
  expect([other.status, await sentenceOf(other)]).toEqual([
    429,
    expect.stringMatching(/the requests being served and their answers hold \d+ of 2097152 bytes/),
  ]);
  socket.resume();
  await eventually(() => admission.heldBytes === 0);
  expect((await post('hello')).status).toBe(200);
  socket.destroy();
});

describe('bodies', () => {
  const large = Buffer.alloc(100 << 20);

  test('of 100 MB are answered 413, whether the length is told or not', async () => {
    const told = await post(large);
    expect([told.status, await sentenceOf(told)]).toEqual([
      413,
      expect.stringMatching(/104857600 bytes.*at most 1048576/),
    ]);
    const chunked = new ReadableStream({
      start(controller) {
        for (let chunk = 0; chunk < 100; chunk++) controller.enqueue(large.subarray(0, 1 << 20));
        controller.close();
      },
    });
    const untold = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      body: chunked,
      duplex: 'half',
    } as RequestInit);
    expect([untold.status, await sentenceOf(untold)]).toEqual([413, expect.stringMatching(/goes on/)]);
    await eventually(() => admission.heldBytes === 0);
  });

  test('that break off are answered 400 when the client still listens', async () => {
    const { socket, ended } = await raw();
    socket.end(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this`);
    expect(await ended).toMatch(/^HTTP\/1.1 400 .*"error":"the request broke off/s);
    await eventually(() => admission.heldBytes === 0);
  });

  test('are asked for only when they will be read', async () => {
    const ask = (length: number) =>
      new Promise<{ continued: boolean; status: number }>((resolve) => {
        let continued = false;
        const request = httpRequest({ port, host: '127.0.0.1', path, method: 'POST' });
        request.setHeader('expect', '100-continue').setHeader('content-length', length);
        request.on('continue', () => {
          continued = true;
          request.end('x'.repeat(length));
        });
        request.on('response', (response) => {
          response.resume();
          resolve({ continued, status: response.statusCode ?? 0 });
          if (!continued) request.destroy();
        });
        request.on('error', () => {});
        request.flushHeaders();
      });
    expect(await ask(10)).toEqual({ continued: true, status: 200 });
    expect(await ask(2 << 20)).toEqual({ continued: false, status: 413 });
  });
});

describe('what is no request', () => {
  test.each([
    ['garbage', Buffer.from([0, 255, 1, 2, 13, 10, 13, 10]), /^HTTP\/1.1 400 .*no HTTP\/1.1 request/s],
    [
      'endless headers',
      `GET / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}`,
      /^HTTP\/1.1 431 .*headers are too long/s,
    ],
    ['a wrong length', `POST ${path} HTTP/1.1\r\nContent-Length: ten\r\n\r\n`, /^HTTP\/1.1 400/],
    ['a TLS greeting', Buffer.from('16030100c8010000c40303', 'hex'), /^HTTP\/1.1 400/],
  ])('%s is answered', async (_what, bytes, expected) => {
    const { socket, ended } = await raw();
    socket.write(bytes);
    expect(await ended).toMatch(expected);
    expect((await post('still')).status).toBe(200);
  });

  test.each([
    ['headers', 'GET / HTTP/1.1\r\nX: '],
    ['a body', `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n`],
  ])('%s that drip are cut off', async (_what, start) => {
    server.headersTimeout = 1000;
    server.requestTimeout = 1000;
    const { socket, ended } = await raw();
    socket.write(start);
    const drip = setInterval(() => socket.write('a'), 100);
    expect(await ended).toMatch(/^HTTP\/1.1 408 .*did not arrive in time/s);
    clearInterval(drip);
  });
});

describe('draining', () => {
  test('loses nothing, and closes each connection with its answer', async () => {
    answers = false;
    const slow = post('slow');
    await eventually(() => submitted.length === 1);
    draining = true;
    let finished: boolean | undefined;
    const controller = new AbortController();
    const drained = drain({
      server,
      clock: systemClock,
      log,
      lagSeconds: 30,
      limitSeconds: 30,
      hurry: controller.signal,
    });
    void drained.then((clean) => {
      finished = clean;
    });
    const late = post('late');
    await eventually(() => submitted.length === 2);
    controller.abort();
    await eventually(() => !server.listening);
    await expect(post('refused')).rejects.toThrow();
    expect(finished).toBeUndefined();
    for (const request of submitted)
      request.done({ outputs: new Map(), queuedMilliseconds: 0, computedMilliseconds: 0 });
    for (const answer of [await slow, await late]) {
      expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    }
    expect(await drained).toBe(true);
    server.listen(0);
  });

  test('ends at its limit', async () => {
    answers = false;
    const lost = post('never').catch(() => 'lost');
    await eventually(() => submitted.length === 1);
    const options = { server, clock: systemClock, log, lagSeconds: 0, limitSeconds: 0.2 };
    expect(await drain({ ...options, hurry: new AbortController().signal })).toBe(false);
    expect(await lost).toBe('lost');
    server.listen(0);
  });
});
