/** A real server that speaks S3 (versitygw), on this machine, with one account. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { goPrograms } from '../region/go-programs.ts';
import type { Files } from '../unit/model-server/repository/origin.ts';

export const KEYS = { accessKeyId: 'tester', secretAccessKey: 'a secret/with+signs' };

export interface ObjectStore {
  endpoint: string;
  makeBucket(bucket: string): Promise<void>;
  put(bucket: string, files: Files): Promise<void>;
  remove(bucket: string, key: string): Promise<void>;
  close(): Promise<void>;
}

export async function startObjectStore(): Promise<ObjectStore> {
  const program = join(await goPrograms('object-store'), 'versitygw');
  const directory = await mkdtemp(join(tmpdir(), 'aicity-s3-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const [data, accounts] = [join(directory, 'data'), join(directory, 'accounts')];
  await Promise.all([data, accounts].map((each) => mkdir(each)));
  const flags = ['--port', `127.0.0.1:${port}`, '--quiet', '--iam-dir', accounts];
  const server = spawn(program, [...flags, 'posix', data], {
    env: { ROOT_ACCESS_KEY_ID: KEYS.accessKeyId, ROOT_SECRET_ACCESS_KEY: KEYS.secretAccessKey },
    stdio: 'ignore',
  });
  const ask = async (method: string, path: string, body?: Uint8Array) => {
    const url = `${endpoint}/${path.split('/').map(encodeURIComponent).join('/')}`;
    const signer = new AwsV4Signer({ ...KEYS, url, method, service: 's3', region: 'us-east-1' });
    const { headers } = await signer.sign();
    const answer = await fetch(url, { method, headers, ...(body ? { body: new Uint8Array(body) } : {}) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  await untilItAnswers(endpoint, server);
  return {
    endpoint,
    makeBucket: (bucket) => ask('PUT', bucket),
    async put(bucket, files) {
      for (const [key, content] of Object.entries(files))
        await ask('PUT', `${bucket}/${key}`, Buffer.from(content));
    },
    remove: (bucket, key) => ask('DELETE', `${bucket}/${key}`),
    async close() {
      await ended(server);
      await rm(directory, { recursive: true });
    },
  };
}

/**
 * Nobody listens there. It is below the range from which the kernel hands out ports, so that nobody else is likely to
 * take it in between.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = 22_000 + Math.floor(Math.random() * 4_000);
    const isFree = await new Promise<boolean>((done) => {
      const server = createServer();
      server.on('error', () => done(false));
      server.listen(port, host, () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
}

export async function untilItAnswers(url: string, server: ChildProcess): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the server at ${url} ended with ${server.exitCode}`);
    if (await fetch(url).catch(() => undefined)) return;
    await new Promise((later) => setTimeout(later, 50));
  }
}

export async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const closed = once(server, 'close');
  server.kill('SIGTERM');
  await closed;
}
