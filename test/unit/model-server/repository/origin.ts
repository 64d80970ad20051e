/** A web server with model files in memory that can misbehave, and what else the repository's tests share. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Header, pack } from 'tar-stream';
import {
  openRepository,
  type Repository,
  type RepositoryOptions,
} from '../../../../model-server/repository/repository.ts';

export type Files = Record<string, string | Uint8Array>;

export interface Origin {
  url: string;
  files: Files;
  /** `GET /path` and, where there are any, range and conditions, in the order of arrival. */
  requests: string[];
  /** Answers a request itself when it returns true. */
  misbehave?: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): Promise<void>;
}

export async function startOrigin(files: Files): Promise<Origin> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    const { range, 'if-none-match': known } = request.headers;
    origin.requests.push(
      [`GET /${path}`, range, known && `if-none-match ${known}`].filter(Boolean).join(' '),
    );
    if (origin.misbehave?.(request, response)) return;
    const content = origin.files[path];
    if (content === undefined) return void response.writeHead(404).end('<html>not here</html>');
    const bytes = Buffer.from(content);
    const etag = `"${sha256(bytes).slice(0, 8)}"`;
    response.setHeader('etag', etag);
    if (known === etag) return void response.writeHead(304).end();
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    if (from > 0 && request.headers['if-range'] === etag) {
      response.writeHead(206, {
        'content-length': bytes.length - from,
        'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
      });
      return void response.end(bytes.subarray(from));
    }
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin: Origin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return origin;
}

/** A machine that is busy may be silent for a while: only who is to be given up for that gets less time. */
export const limits = { stallSeconds: 30, attempts: 3, firstPauseSeconds: 0.01 };

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'aicity-test-'));
}

export async function repositoryIn(
  directory: string,
  maxModelBytes = 1 << 24,
  more: Partial<RepositoryOptions> = {},
): Promise<Repository> {
  return openRepository({
    cacheDirectory: join(directory, 'cache'),
    volumesDirectory: join(directory, 'volumes'),
    limits,
    maxModelBytes,
    ...more,
  });
}

export async function writeFiles(directory: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

export const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** The documented digest, written down a second time. */
export function expectedDigest(files: Files): string {
  const lines = Object.keys(files)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((path) => `${sha256(files[path] ?? '')}  ${path}\n`);
  return `sha256:${sha256(lines.join(''))}`;
}

export async function tar(
  entries: [Partial<Header> & { name: string }, (string | undefined)?][],
): Promise<Buffer> {
  const archive = pack();
  for (const [header, content] of entries) archive.entry(header, content ?? '');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A TensorFlow.js model with two shards, as far as the repository looks into it. */
export const tfjsModel: Files = {
  'model.json': JSON.stringify({
    format: 'graph-model',
    weightsManifest: [{ paths: ['shard1.bin', 'more/shard 2.bin'], weights: [] }],
  }),
  'shard1.bin': 'a'.repeat(5000),
  'more/shard 2.bin': 'b'.repeat(70_000),
};

/** Begins like a real `variables.index` with two shards: shared 0, unshared 0, length 4, `08 02 1a 00`. */
const variablesIndex = Uint8Array.from([0, 0, 4, 0x08, 2, 0x1a, 0, 9, 9, 9]);

export const savedModel: Files = {
  'saved_model.pb': 'graph',
  'variables/variables.index': variablesIndex,
  'variables/variables.data-00000-of-00002': 'first',
  'variables/variables.data-00001-of-00002': 'second',
  'fingerprint.pb': 'fingerprint',
};

export const prefixed = (prefix: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, content]) => [`${prefix}/${path}`, content]));
