/**
 * Load from clients that send the next request when the last one is answered. A client is a socket and the bytes of
 * one request, so that little of the processor, which it shares with the server, goes into it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ClientRequest } from './contender.ts';
import { percentile } from './percentile.ts';

export interface Load extends ClientRequest {
  /** Clients, each with one connection and one request at a time. */
  readonly clients: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Milliseconds from a request to its answer. */
  readonly p50: number;
  readonly p99: number;
}

/** Of a client that waits for an answer. */
const PATIENCE_MILLISECONDS = 30_000;

/** @throws Error when a request fails: a figure with failures in it says nothing. */
export async function measureLoad(load: Load): Promise<LoadResult> {
  const { hostname, port } = new URL(load.url);
  const sockets = await Promise.all(
    Array.from({ length: load.clients }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      await once(socket, 'connect');
      return socket;
    }),
  );
  const milliseconds: number[] = [];
  const request = requestBytes(load);
  const startedAt = performance.now();
  const endsAt = startedAt + load.seconds * 1000;
  try {
    await Promise.all(sockets.map((socket) => runClient(socket, request, endsAt, milliseconds)));
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  return {
    requests: milliseconds.length,
    requestsPerSecond: milliseconds.length / elapsedSeconds,
    p50: percentile(milliseconds, 50),
    p99: percentile(milliseconds, 99),
  };
}

function requestBytes({ url, headers = {}, body }: ClientRequest): Buffer {
  const { pathname, host } = new URL(url);
  const lines = Object.entries({
    host,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`),
    Buffer.from(body),
  ]);
}

function runClient(socket: Socket, request: Buffer, endsAt: number, milliseconds: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    let received: Buffer | undefined;
    const send = () => {
      sentAt = performance.now();
      if (sentAt >= endsAt) return resolve();
      socket.write(request);
    };
    socket.on('data', (chunk) => {
      received = received ? Buffer.concat([received, chunk]) : chunk;
      const status = completeAnswer(received);
      if (status === undefined) return;
      if (status !== 200)
        return reject(new Error(`a request was answered ${received.toString().slice(0, 500)}`));
      received = undefined;
      milliseconds.push(performance.now() - sentAt);
      send();
    });
    socket.on('error', reject);
    socket.setTimeout(PATIENCE_MILLISECONDS, () => reject(new Error('the server has gone silent')));
    socket.on('close', () => reject(new Error('the server closed a connection')));
    send();
  });
}

/** The status of an HTTP/1.1 answer that is all there; undefined while it is not. */
export function completeAnswer(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const isComplete =
    length === undefined
      ? bytes.toString('latin1', bytes.length - 5) === '0\r\n\r\n'
      : bytes.length >= end + 4 + Number(length);
  return isComplete ? Number(head.slice(9, 12)) : undefined;
}
