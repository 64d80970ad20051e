/** A real OCI registry (distribution) on this machine that takes tokens alone, and the service that gives them. */
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goPrograms } from '../region/go-programs.ts';
import { ended, freePort, untilItAnswers } from './object-store.ts';

export const LOGIN = { username: 'puller', password: 'pass:word' };

export interface PushedLayer {
  mediaType: string;
  content: Uint8Array | string;
  annotations?: Record<string, string>;
}

export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Scopes that tokens were asked for. */
  scopes: string[];
  /** Pushes an artifact as `oras push` does. @returns the digest of its manifest. */
  push(repository: string, tag: string, layers: PushedLayer[]): Promise<string>;
  /** Pushes any manifest as it is. @returns its digest. */
  pushManifest(repository: string, reference: string, manifest: object): Promise<string>;
  close(): Promise<void>;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const ISSUER = 'test';

const digestOf = (content: Uint8Array | string) =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

export async function startRegistry(): Promise<TestRegistry> {
  const program = join(await goPrograms('registry'), 'registry');
  const directory = await mkdtemp(join(tmpdir(), 'aicity-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const tokens = await startTokens();
  await writeFile(join(directory, 'keys.json'), JSON.stringify({ keys: [tokens.key] }));
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: host, secret: 'of this test' },
    auth: {
      token: {
        ...{ realm: tokens.url, service: 'registry', issuer: ISSUER },
        jwks: join(directory, 'keys.json'),
        signingalgorithms: ['ES256'],
      },
    },
  };
  await writeFile(join(directory, 'config.yml'), JSON.stringify(config));
  const server = spawn(program, ['serve', join(directory, 'config.yml')], {
    env: { OTEL_TRACES_EXPORTER: 'none' },
    stdio: 'ignore',
  });
  await untilItAnswers(`http://${host}/v2/`, server);

  const ask = async (method: string, repository: string, path: string, body?: Uint8Array, type?: string) => {
    const url = path.startsWith('http') ? path : `http://${host}/v2/${repository}/${path}`;
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${tokens.issue(repository, ['pull', 'push'])}`,
        'content-type': type ?? 'application/octet-stream',
      },
      ...(body ? { body: new Uint8Array(body) } : {}),
    });
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const pushBlob = async (repository: string, content: Uint8Array | string) => {
    const upload = await ask('POST', repository, 'blobs/uploads/', new Uint8Array());
    const url = new URL(upload.headers.get('location') ?? '', `http://${host}`);
    url.searchParams.set('digest', digestOf(content));
    await ask('PUT', repository, url.href, Buffer.from(content));
  };
  const pushManifest = async (repository: string, reference: string, manifest: object) => {
    const text = JSON.stringify(manifest);
    const { mediaType = MANIFEST } = manifest as { mediaType?: string };
    await ask('PUT', repository, `manifests/${reference}`, Buffer.from(text), mediaType);
    return digestOf(text);
  };
  return {
    host,
    scopes: tokens.scopes,
    pushManifest,
    async push(repository, tag, layers) {
      for (const content of ['{}', ...layers.map((layer) => layer.content)])
        await pushBlob(repository, content);
      const descriptor = ({ mediaType, content, annotations }: PushedLayer) => ({
        ...{ mediaType, digest: digestOf(content), size: Buffer.byteLength(content) },
        ...(annotations ? { annotations } : {}),
      });
      return pushManifest(repository, tag, {
        schemaVersion: 2,
        mediaType: MANIFEST,
        artifactType: 'application/vnd.unknown.artifact.v1',
        config: descriptor({ mediaType: 'application/vnd.oci.empty.v1+json', content: '{}' }),
        layers: layers.map(descriptor),
      });
    },
    async close() {
      await ended(server);
      tokens.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** https://distribution.github.io/distribution/spec/auth/jwt/: what a login may do, signed. */
async function startTokens() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const issue = (repository: string, actions: string[]) => {
    const now = Math.floor(Date.now() / 1000);
    const access = [{ type: 'repository', name: repository, actions }];
    const times = { nbf: now - 10, iat: now, exp: now + 300 };
    const claims = { iss: ISSUER, sub: '', aud: 'registry', jti: String(Math.random()), access, ...times };
    const signed = `${part({ alg: 'ES256', typ: 'JWT', kid: 'one' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  };
  const scopes: string[] = [];
  const { username, password } = LOGIN;
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    const scope = new URL(request.url ?? '', 'http://x').searchParams.get('scope') ?? '';
    scopes.push(scope);
    const { authorization } = request.headers;
    if (authorization !== undefined && authorization !== wanted) return void response.writeHead(401).end();
    const [, repository = ''] = scope.split(':');
    // Without a login only what is public may be pulled.
    const actions = authorization === wanted || repository.startsWith('public/') ? ['pull'] : [];
    response.end(JSON.stringify({ token: issue(repository, actions) }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    key: { ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' },
    ...{ issue, scopes },
    close: () => server.close(),
  };
}
