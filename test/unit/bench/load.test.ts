import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { completeAnswer, measureLoad } from '../../bench/load.ts';
import { costsOf } from '../../bench/process-costs.ts';

let status = 200;
let chunked = false;
const seen: string[] = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    seen.push(`${request.method} ${request.url} ${request.headers['x-more']} ${body}`);
    if (chunked) response.writeHead(status).write('a first part');
    response.end('an answer');
  });
});
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/models/m:predict`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test.each([false, true])(
  'clients ask again and again, and each answer counts once; chunked: %s',
  async (way) => {
    chunked = way;
    seen.length = 0;
    const load = { url, headers: { 'x-more': 'yes' }, body: '{"instances": []}', clients: 3, seconds: 0.2 };
    const { requests, requestsPerSecond, p50, p99 } = await measureLoad(load);
    expect(requests).toBe(seen.length);
    expect(new Set(seen)).toEqual(new Set(['POST /v1/models/m:predict yes {"instances": []}']));
    expect(requestsPerSecond).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
  },
);

test('one request that fails fails the measurement', async () => {
  status = 503;
  chunked = true;
  const load = { url, body: '', clients: 1, seconds: 0.2 };
  await expect(measureLoad(load)).rejects.toThrow('HTTP/1.1 503');
  status = 200;
});

test.each([
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', undefined],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab', 200],
  ['HTTP/1.1 429 Too Many Requests\r\ncontent-length:0\r\n\r\n', 429],
  ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n', undefined],
  ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n', 200],
  ['HTTP/1.1 200', undefined],
])('%j is complete: %s', (text, complete) => {
  expect(completeAnswer(Buffer.from(text))).toBe(complete);
});

test('a process costs time and memory, one that is not there costs nothing', () => {
  const { cpuSeconds, residentBytes } = costsOf(process.pid);
  expect(cpuSeconds).toBeGreaterThan(0);
  expect(residentBytes).toBeGreaterThan(20 * 2 ** 20);
  expect(costsOf(2 ** 22 + 1)).toEqual({ cpuSeconds: 0, residentBytes: 0 });
});
