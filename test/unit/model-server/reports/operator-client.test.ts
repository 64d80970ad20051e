/** Reports over real TLS, to an operator that is a few lines. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { LoadReport } from '../../../../crds/load-report.ts';
import { OperatorClient } from '../../../../model-server/reports/operator-client.ts';
import {
  type IssuedCertificate,
  issueServing,
  makeAuthority,
} from '../../../../operator/certificates/issue.ts';

// Other work on the machine may take its time; nothing here measures any.
jest.setTimeout(120_000);

let directory: string;
let server: Server;
let client: OperatorClient;
let connections: number;
let seen: { authorization: string | undefined; body: unknown }[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

const never = new AbortController().signal;
const report = { service: 'traffic', sequence: 1 } as LoadReport;
const now = new Date();

async function serving(authority: IssuedCertificate) {
  const { certificatePem: cert, privateKeyPem: key } = await issueServing(authority, ['localhost'], now);
  return { cert, key };
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  const authority = await makeAuthority(now);
  [connections, seen] = [0, []];
  answer = (_request, response) => response.end(JSON.stringify({ intervalSeconds: 2 }));
  server = createServer(await serving(authority), async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({
      authorization: request.headers.authorization,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    });
    answer(request, response);
  });
  server.on('secureConnection', () => connections++);
  server.listen(0, 'localhost');
  await once(server, 'listening');
  await writeFile(join(directory, 'ca.crt'), authority.certificatePem);
  await writeFile(join(directory, 'token'), 'first-token\n');
  client = new OperatorClient({
    url: `https://localhost:${(server.address() as AddressInfo).port}/v1/reports`,
    caFile: join(directory, 'ca.crt'),
    tokenFile: join(directory, 'token'),
  });
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
});

test('a report is sent with the token of the moment, over one connection', async () => {
  expect(await client.send(report, never)).toEqual({ kind: 'Accepted', reply: { intervalSeconds: 2 } });
  await writeFile(join(directory, 'token'), 'second-token');
  await client.send(report, never);
  expect(seen).toEqual([
    { authorization: 'Bearer first-token', body: report },
    { authorization: 'Bearer second-token', body: report },
  ]);
  expect(connections).toBe(1);
});

test('an assignment in the reply is read', async () => {
  const assignment = {
    revision: '0123456789',
    model: { uri: 'pvc://models/traffic' },
    serving: { maxBatchSize: 8 },
  };
  answer = (_request, response) => response.end(JSON.stringify({ intervalSeconds: 2, assignment }));
  expect(await client.send(report, never)).toMatchObject({
    reply: { assignment: { revision: '0123456789' } },
  });
});

describe('trouble is told in a word or a sentence', () => {
  test.each<[string, typeof answer, object]>([
    [
      'a refusal',
      (_, r) => r.writeHead(403).end(JSON.stringify({ error: 'this token is of another pod' })),
      { kind: 'Refused', message: '403: this token is of another pod' },
    ],
    [
      'no leader',
      (_, r) => r.writeHead(503).end('{}'),
      { kind: 'Unreachable', message: 'the answer was 503' },
    ],
    ['a proxy', (_, r) => r.writeHead(404).end('<html>'), { kind: 'Refused', message: 'the answer was 404' }],
    ['a cut', (q) => q.socket.destroy(), { kind: 'Unreachable', message: 'ECONNRESET' }],
    [
      'another protocol',
      (_, r) => r.end(JSON.stringify({ intervalSeconds: 'soon' })),
      { kind: 'Refused', message: expect.stringContaining('not understood: intervalSeconds') },
    ],
    [
      'an endless reply',
      (_, r) => r.end('x'.repeat(100_000)),
      { kind: 'Unreachable', message: expect.stringContaining('too long') },
    ],
  ])('%s', async (_what, behave, outcome) => {
    answer = behave;
    expect(await client.send(report, never)).toEqual(outcome);
    expect(JSON.stringify(outcome)).not.toContain('first-token');
  });

  test('another authority, and then the right one in the file', async () => {
    const other = await makeAuthority(now);
    const right = await client.send(report, never);
    server.setSecureContext(await serving(other));
    await writeFile(join(directory, 'ca.crt'), (await makeAuthority(now)).certificatePem);
    const wrong = await client.send(report, never);
    await writeFile(join(directory, 'ca.crt'), other.certificatePem);
    const mended = await client.send(report, never);
    expect([right.kind, wrong.kind, mended.kind]).toEqual(['Accepted', 'Unreachable', 'Accepted']);
    expect(seen).toHaveLength(2);
  });

  test('no token file, nothing listening, given up', async () => {
    const aborted = AbortSignal.abort();
    expect((await client.send(report, aborted)).kind).toBe('Unreachable');
    server.close();
    server.closeAllConnections();
    expect(await client.send(report, never)).toEqual({ kind: 'Unreachable', message: 'ECONNREFUSED' });
    await rm(join(directory, 'token'));
    expect(await client.send(report, never)).toEqual({ kind: 'Unreachable', message: 'ENOENT' });
  });

  test('a report that grew too large is not sent', async () => {
    const large = { ...report, service: 'x'.repeat(20_000) };
    expect((await client.send(large, never)).kind).toBe('Refused');
    expect(seen).toHaveLength(0);
  });
});

test('a connection that the operator closed meanwhile is no trouble', async () => {
  server.keepAliveTimeout = 1;
  await client.send(report, never);
  server.closeIdleConnections();
  expect((await client.send(report, never)).kind).toBe('Accepted');
  expect(connections).toBe(2);
});
