/** Clients that begin much, send slowly and do not read: gRPC's own server, and a client of bare HTTP/2. */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Clock, systemClock } from '../../../../model-server/clock.ts';
import { Admission } from '../../../../model-server/serve/admission.ts';
import { CallGuards, type GrpcTimeouts, guardOf } from '../../../../model-server/serve/grpc-guard.ts';
import { TestClock } from '../clock.ts';
import { framed } from './grpc-client.ts';
import { eventually as eventuallyTrue } from './server-process.ts';

const MEBIBYTE = 2 ** 20;
const LONG = { messageSeconds: 100, writeSeconds: 100 };
/** An answer that no buffer between server and client takes in. */
const LARGE = 4 * MEBIBYTE;
/** For each message of a stream: as slow as an engine. */
const HANDLER_SECONDS = 0.1;

let admission: Admission;
let server: Server;
let session: ClientHttp2Session;
/** Lengths of the messages that came to a handler. */
let handled: number[];
let refused: string[];

/** What is asked for is a number of bytes. */
const answerTo = (bytes: Buffer) => Buffer.alloc(bytes.length === 4 ? bytes.readUInt32BE() : 1);

async function start(timeouts: Partial<GrpcTimeouts> = {}, clock: Clock = systemClock): Promise<void> {
  const guards = new CallGuards({
    ...{ admission, clock, timeouts: { ...LONG, ...timeouts } },
    refused: ({ kind }) => refused.push(kind),
  });
  server = new Server({
    interceptors: [guards.interceptor],
    'grpc.max_receive_message_length': admission.limits.maxBodyBytes,
  });
  const asItIs = (bytes: Buffer) => bytes;
  const method = (name: string, isStream: boolean) => ({
    ...{ path: `/test/${name}`, requestStream: isStream, responseStream: isStream },
    ...{ requestSerialize: asItIs, requestDeserialize: asItIs },
    ...{ responseSerialize: asItIs, responseDeserialize: asItIs },
  });
  const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const guard = guardOf(call);
    guard.took(call.request.length);
    handled.push(call.request.length);
    const answer = answerTo(call.request);
    guard.holds(answer.length);
    callback(null, answer);
  };
  const stream: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    const guard = guardOf(call);
    call.on('data', (bytes: Buffer) => {
      const release = guard.took(bytes.length);
      handled.push(bytes.length);
      const answer = answerTo(bytes);
      release();
      call.write(answer, guard.holds(answer.length));
      call.pause();
      clock.after(HANDLER_SECONDS, () => call.resume());
    });
    call.on('end', () => call.end());
  };
  server.addService({ unary: method('unary', false), stream: method('stream', true) }, { unary, stream });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 1000 });
}

function begin(name: 'unary' | 'stream', headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': `/test/${name}`, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  return stream.on('error', () => {});
}

const asksFor = (bytes: number) => {
  const content = Buffer.alloc(4);
  content.writeUInt32BE(bytes);
  return framed(content);
};

/** gRPC's code and sentence of a call that is answered without a message. */
async function refusal(stream: ClientHttp2Stream): Promise<[number, string]> {
  const [headers] = await once(stream.resume(), 'response');
  return [Number(headers['grpc-status']), decodeURI(headers['grpc-message'] ?? '')];
}

const eventually = (check: () => boolean) => eventuallyTrue(async () => check());

beforeEach(() => {
  admission = new Admission({ maxBodyBytes: MEBIBYTE, maxHeldBytes: 2.5 * MEBIBYTE });
  [handled, refused] = [[], []];
});
afterEach(() => {
  session.destroy();
  server.forceShutdown();
});

describe('messages', () => {
  test('count from their first bytes on; what is too much is refused with a sentence, and no handler sees it', async () => {
    await start();
    const part = framed(Buffer.alloc(MEBIBYTE)).subarray(0, -1);
    const streams = [begin('unary'), begin('stream')];
    for (const stream of streams) stream.write(part);
    await eventually(() => admission.heldBytes === 2 * (MEBIBYTE - 1));
    const third = begin('unary');
    third.end(framed(Buffer.alloc(MEBIBYTE)));
    const [code, sentence] = await refusal(third);
    expect(code).toBe(status.RESOURCE_EXHAUSTED);
    expect(sentence).toMatch(/hold \d+ of 2621440 bytes: try again later/);
    await once(third, 'close');
    await eventually(() => admission.heldBytes === 2 * (MEBIBYTE - 1));
    // What had begun goes on.
    for (const stream of streams) stream.resume().end(Buffer.alloc(1));
    await Promise.all(streams.map((stream) => once(stream, 'close')));
    await eventually(() => admission.heldBytes === 0);
    expect(handled).toEqual([MEBIBYTE, MEBIBYTE]);
    expect(refused).toEqual(['ResourceExhausted']);
  });

  test.each([
    ['a message without its end', 'unary', framed(Buffer.alloc(1000)).subarray(0, -1)],
    ['a message of a stream without its end', 'stream', framed(Buffer.alloc(1000)).subarray(0, -1)],
    ['a request without its end', 'unary', framed(Buffer.alloc(1000))],
  ] as const)('%s is not waited for for ever', async (_, name, bytes) => {
    await start({ messageSeconds: 0.3 });
    const stream = begin(name);
    stream.write(bytes);
    const [code, sentence] = await refusal(stream);
    expect([code, sentence]).toEqual([
      status.DEADLINE_EXCEEDED,
      'the message did not come to its end within 0.3 s',
    ]);
    await once(stream, 'close');
    await eventually(() => admission.heldBytes === 0);
    expect([handled, refused]).toEqual([[], ['DeadlineExceeded']]);
  });

  test('that wait for a slow handler, and streams between two messages, have all the time', async () => {
    const clock = new TestClock();
    await start({ messageSeconds: 0.3 }, clock);
    const stream = begin('stream').resume();
    for (let count = 0; count < 30; count++) stream.write(framed(Buffer.alloc(10_000)));
    // Time goes by while the handler is at work, and stands still while the network is.
    const workedOn = async (count: number) => {
      await eventually(() => handled.length >= count);
      await clock.advance(HANDLER_SECONDS);
    };
    for (let count = 1; count <= 30; count++) await workedOn(count);
    await clock.advance(0.6);
    const ended = once(stream, 'trailers');
    stream.end(framed(Buffer.alloc(10)));
    await workedOn(31);
    const [trailers] = await ended;
    expect(trailers['grpc-status']).toBe('0');
    expect(handled).toHaveLength(31);
    await eventually(() => admission.heldBytes === 0);
  });

  test('that are compressed count as what they may become until they are unpacked', async () => {
    await start();
    const packed = gzipSync(Buffer.alloc(MEBIBYTE));
    const headers = { 'grpc-encoding': 'gzip' };
    const waiting = [begin('unary', headers), begin('unary', headers)];
    for (const stream of waiting) stream.write(framed(packed, true));
    await eventually(() => admission.heldBytes === 2 * MEBIBYTE);
    const third = begin('unary', headers);
    third.end(framed(packed, true));
    expect((await refusal(third))[0]).toBe(status.RESOURCE_EXHAUSTED);
    for (const stream of waiting) stream.resume().end();
    await Promise.all(waiting.map((stream) => once(stream, 'close')));
    const small = begin('unary', headers).resume();
    small.end(framed(gzipSync(Buffer.alloc(9)), true));
    await once(small, 'close');
    expect(handled).toEqual([MEBIBYTE, MEBIBYTE, 9]);
    await eventually(() => admission.heldBytes === 0);
  });
});

describe('answers', () => {
  test('that are not read count, and only small requests are let in beside them', async () => {
    await start();
    const unread = begin('unary');
    unread.end(asksFor(LARGE));
    await eventually(() => handled.length === 1);
    const next = begin('unary');
    next.end(framed(Buffer.alloc(5000)));
    const [code, sentence] = await refusal(next);
    expect(code).toBe(status.RESOURCE_EXHAUSTED);
    expect(sentence).toMatch(/the requests being served and their answers hold 41943\d\d of 2621440 bytes/);
    const small = begin('unary').resume();
    small.end(asksFor(1));
    await once(small, 'close');
    expect(handled).toEqual([4, 4]);
    unread.resume();
    await once(unread, 'close');
    await eventually(() => admission.heldBytes === 0);
  });

  test.each(['unary', 'stream'] as const)('of a %s call that nobody reads are given up', async (name) => {
    await start({ writeSeconds: 0.5 });
    const unread = begin(name);
    unread.write(asksFor(LARGE));
    if (name === 'unary') unread.end();
    await eventually(() => handled.length === 1);
    expect(admission.heldBytes).toBeGreaterThanOrEqual(LARGE);
    await eventually(() => admission.heldBytes === 0);
  });

  test('that are read slowly come whole, and a stream may be silent for longer', async () => {
    // Slower than that in all, and so long that no machine stands still for it.
    await start({ writeSeconds: 3 });
    const slow = begin('stream');
    slow.write(asksFor(LARGE));
    let bytes = 0;
    slow.on('data', (part: Buffer) => {
      bytes += part.length;
      slow.pause();
      setTimeout(() => slow.resume(), part.length / 1000);
    });
    await eventually(() => bytes === LARGE + 5);
    await new Promise((later) => setTimeout(later, 4000));
    slow.end(asksFor(10));
    const [trailers] = await once(slow, 'trailers');
    expect([trailers['grpc-status'], bytes]).toEqual(['0', LARGE + 5 + 15]);
  });
});
