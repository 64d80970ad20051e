import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { modelStore } from '../../../examples/model-store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'model-store-'));
let server: Server;
let url: string;

beforeAll(async () => {
  mkdirSync(join(directory, 'traffic', '1'), { recursive: true });
  writeFileSync(join(directory, 'traffic', '1', 'model.json'), '{"a":1}');
  writeFileSync(join(directory, 'traffic', '1', '.secret'), 'x');
  server = modelStore(directory).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(directory, { recursive: true });
});

test('gives a file with an ETag, and says when it has not changed', async () => {
  const first = await fetch(`${url}/traffic/1/model.json`);
  expect(await first.text()).toBe('{"a":1}');
  const etag = first.headers.get('etag') ?? '';
  const second = await fetch(`${url}/traffic/1/model.json`, {
    // fetch would ask for a fresh copy by itself.
    headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' },
  });
  expect(second.status).toBe(304);
});

test('resumes a transfer', async () => {
  const part = await fetch(`${url}/traffic/1/model.json`, { headers: { range: 'bytes=4-' } });
  expect(part.status).toBe(206);
  expect(await part.text()).toBe(':1}');
});

test.each([['/traffic/2/model.json'], ['/traffic/1'], ['/traffic/1/.secret'], ['/..%2f..%2fetc%2fpasswd']])(
  '%s is not there',
  async (path) => {
    expect((await fetch(`${url}${path}`)).status).toBe(404);
  },
);

test('is well', async () => expect((await fetch(`${url}/healthz`)).status).toBe(200));
