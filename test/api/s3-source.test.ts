/** Models in buckets of a real S3 server, fetched by the model server's repository. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModelSource } from '../../crds/model-service.ts';
import type { Repository, RepositoryOptions } from '../../model-server/repository/repository.ts';
import {
  expectedDigest,
  type Files,
  limits,
  prefixed,
  repositoryIn,
  savedModel,
  tar,
  temporaryDirectory,
  tfjsModel,
} from '../unit/model-server/repository/origin.ts';
import { KEYS, type ObjectStore, startObjectStore } from './object-store.ts';

/** A port that belongs to no service and that fetch does not refuse to ask. */
const nobody = 'http://127.0.0.1:64999';
let store: ObjectStore;
let home: string;
const never = new AbortController().signal;
const odd = { 'saved_model.pb': 'graph', "assets/a b+c'(1)!*é%2F.txt": 'names that need care' };

beforeAll(async () => {
  store = await startObjectStore();
  await store.makeBucket('models');
  await store.put('models', {
    ...prefixed('traffic/2', savedModel),
    ...prefixed('traffic/10', tfjsModel),
    ...prefixed('one', tfjsModel),
    ...prefixed('odd', odd),
    'one.tar.gz': gzipSync(await tar([[{ name: 'model.json' }, '{}']])),
    'junk/readme.md': 'x',
  });
}, 600_000);
afterAll(() => store.close());
beforeEach(async () => {
  home = await temporaryDirectory();
});
afterEach(() => rm(home, { recursive: true }));

const secret = () => ({
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: `${KEYS.secretAccessKey}\n`,
  AWS_ENDPOINT_URL: store.endpoint,
});

/** A repository in a pod: the Secret's keys are files. */
async function withSecret(
  keys: Record<string, string>,
  maxModelBytes?: number,
  more: Partial<RepositoryOptions> = {},
): Promise<Repository> {
  const directory = join(home, 'secret');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(keys)) await writeFile(join(directory, name), text);
  return repositoryIn(home, maxModelBytes, { credentials: { directory, variables: {} }, ...more });
}

const named = { credentialsSecretRef: { name: 'store' } };
const fetchFrom = (repository: Repository, source: ModelSource) =>
  repository.fetch({ ...source, ...named }, () => {}, never);
const failure = (fetching: Promise<unknown>) =>
  fetching.then(
    () => ({ reason: 'none', message: '' }),
    (error) => ({ reason: error.reason, message: String(error.message) }),
  );

describe('what is fetched', () => {
  test.each<[string, Partial<ModelSource>, Files, number | undefined]>([
    ['s3://models/traffic', {}, tfjsModel, 10],
    ['s3://models/traffic/', { version: 2 }, savedModel, 2],
    ['s3://models/one', {}, tfjsModel, undefined],
    ['s3://models/one/model.json', {}, tfjsModel, undefined],
    ['s3://models/traffic/2', {}, savedModel, undefined],
    ['s3://models/one.tar.gz', {}, { 'model.json': '{}' }, undefined],
    ['s3://models/odd', {}, odd, undefined],
  ])('%s', async (uri, more, files, version) => {
    const model = await fetchFrom(await withSecret(secret()), { uri, ...more });
    expect(model).toMatchObject({ digest: expectedDigest(files), cached: true });
    expect(model.version).toBe(version);
    for (const [path, content] of Object.entries(files)) {
      expect(await readFile(join(model.directory, path))).toEqual(Buffer.from(content));
    }
  });

  test('a model of more files than one page lists', async () => {
    const many = Object.fromEntries(Array.from({ length: 1100 }, (_, index) => [`assets/${index}`, 'x']));
    const files = { 'saved_model.pb': 'graph', ...many };
    await store.put('models', prefixed('many', files));
    const model = await fetchFrom(await withSecret(secret()), { uri: 's3://models/many' });
    expect(model.digest).toBe(expectedDigest(files));
  }, 120_000);

  test('what a server that runs alone is told by variables', async () => {
    const variables = { ...secret(), AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey };
    const alone = await repositoryIn(home, undefined, { credentials: { variables } });
    expect(await alone.fetch({ uri: 's3://models/one' }, () => {}, never)).toMatchObject({ cached: true });
  });

  test('two loads of the same model at once', async () => {
    const repository = await withSecret(secret());
    const [one, other] = await Promise.all([
      fetchFrom(repository, { uri: 's3://models/one' }),
      fetchFrom(repository, { uri: 's3://models/traffic', version: 10 }),
    ]);
    expect(one.directory).toBe(other.directory);
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });
});

describe('what is refused, in sentences', () => {
  const zeros = `sha256:${'0'.repeat(64)}`;
  test.each<[string, ModelSource, Record<string, string>, string, RegExp]>([
    [
      'an unknown key',
      one(),
      { AWS_ACCESS_KEY_ID: 'nobody' },
      'AccessDenied',
      /does not know the access key/,
    ],
    ['a wrong key', one(), { AWS_SECRET_ACCESS_KEY: 'no' }, 'AccessDenied', /correct AWS_SECRET_ACCESS_KEY/],
    ['half a key', one(), { AWS_SECRET_ACCESS_KEY: '' }, 'AccessDenied', /no AWS_SECRET_ACCESS_KEY/],
    [
      'no bucket',
      { uri: 's3://nowhere/m' },
      {},
      'SourceNotFound',
      /no bucket nowhere at http:.*AWS_ENDPOINT_URL/,
    ],
    [
      'nothing there',
      { uri: 's3://models/two' },
      {},
      'SourceNotFound',
      /nothing below s3:..models.two.*"junk"/,
    ],
    ['no archive', { uri: 's3://models/no.tar' }, {}, 'SourceNotFound', /no object s3:/],
    ['no model', { uri: 's3://models/junk' }, {}, 'FormatUnknown', /holds "readme.md"/],
    ['no version', { uri: 's3://models/traffic', version: 3 }, {}, 'VersionNotFound', /"10", "2"/],
    ['dots', { uri: 's3://models/one/../one.tar' }, {}, 'SourceNotFound', /has \. or \.\. in it/],
    ['another digest', { ...one(), digest: zeros }, {}, 'DigestMismatch', /spec.model.digest is sha256:0000/],
    ['a web page', one(), { AWS_ENDPOINT_URL: 'ftp://x' }, 'SourceUnreachable', /expected https:/],
    ['nobody', one(), { AWS_ENDPOINT_URL: nobody }, 'SourceUnreachable', /nothing listens there/],
  ])('%s', async (_what, source, keys, reason, sentence) => {
    const found = await failure(fetchFrom(await withSecret({ ...secret(), ...keys }), source));
    expect(found).toEqual({ reason, message: expect.stringMatching(sentence) });
    expect(found.message).not.toContain(KEYS.secretAccessKey);
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });

  test('no credentials at all, with the Secret that lacks them', async () => {
    const repository = await withSecret({ AWS_ENDPOINT_URL: store.endpoint });
    expect(await failure(fetchFrom(repository, one()))).toEqual({
      reason: 'AccessDenied',
      message: expect.stringMatching(/asked without credentials.*AWS_ACCESS_KEY_ID/),
    });
  });

  test('a model that is larger than the bound', async () => {
    expect((await failure(fetchFrom(await withSecret(secret(), 1000), one()))).reason).toBe('ModelInvalid');
  });

  test('names that are no names of files', async () => {
    await store.put('models', { 'evil/model.json': '{}', 'evil/a\\b': 'x' });
    const repository = await withSecret(secret());
    expect(await failure(fetchFrom(repository, { uri: 's3://models/evil' }))).toEqual({
      reason: 'FormatUnknown',
      message: expect.stringMatching(/rename it/),
    });
  });
});

describe('as time goes by', () => {
  test('a renewed credential counts without a restart, and a look tells of it', async () => {
    const repository = await withSecret({ ...secret(), AWS_SECRET_ACCESS_KEY: 'old' });
    const source = { ...one(), ...named };
    const before = await repository.look(source);
    expect((await failure(fetchFrom(repository, one()))).reason).toBe('AccessDenied');
    await writeFile(join(home, 'secret/AWS_SECRET_ACCESS_KEY'), KEYS.secretAccessKey);
    const after = await repository.look(source);
    expect(after?.stamp).not.toBe(before?.stamp);
    expect(await fetchFrom(repository, one())).toMatchObject({ cached: true });
  });

  test('a look finds a new version; what has not changed is not fetched again', async () => {
    await store.put('models', prefixed('growing/1', tfjsModel));
    const repository = await withSecret(secret());
    const source = { uri: 's3://models/growing', ...named };
    const first = await repository.fetch(source, () => {}, never);
    expect(await repository.look(source)).toMatchObject({ version: 1 });
    await store.put('models', prefixed('growing/2', { ...tfjsModel, 'shard1.bin': 'newer' }));
    const later = await withSecret(secret());
    expect(await later.look(source)).toMatchObject({ version: 2 });
    const second = await later.fetch(source, () => {}, never);
    expect(second).toMatchObject({
      version: 2,
      digest: expectedDigest({ ...tfjsModel, 'shard1.bin': 'newer' }),
    });
    expect(second.directory).not.toBe(first.directory);
  });

  test('a container that restarts serves what it had when the store is away', async () => {
    const model = await fetchFrom(await withSecret(secret()), one());
    const away = await withSecret({ ...secret(), AWS_ENDPOINT_URL: nobody });
    expect(await fetchFrom(away, one())).toMatchObject({ directory: model.directory });
  });
});

describe('a connection that is cut', () => {
  const big = { ...tfjsModel, 'shard1.bin': 'abcd'.repeat(1 << 20) };
  let proxy: Server;
  let asked: string[];
  /** Resolves when a good part of the file has been received. */
  let received: Promise<void>;
  let progress: (sentence: string) => void;

  beforeEach(async () => {
    await store.put('models', prefixed('big', big));
    asked = [];
    received = new Promise((resolve) => {
      progress = (sentence) => / [1-9][.\d]* MiB so far/.test(sentence) && resolve();
    });
    let cuts = 0;
    // Passes requests on as they are, host and signature included, and hangs up once in the middle of a file.
    proxy = createServer((incoming, outgoing) => {
      const { method, url: path, headers } = incoming;
      asked.push(`${path} ${headers.range ?? ''}`);
      const { hostname, port } = new URL(store.endpoint);
      const onward = httpRequest({ hostname, port, method, path, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        if (!path?.includes('shard1') || cuts++ > 0) return void answer.pipe(outgoing);
        let sent = 0;
        answer.on('data', (chunk: Buffer) => {
          const part = chunk.subarray(0, (2 << 20) - sent);
          sent += part.length;
          if (part.length > 0) outgoing.write(part);
        });
        void received.then(() => outgoing.destroy());
      });
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => void proxy.close());

  /** Patient: a transfer that counted as stalled would be resumed before the proxy hangs up. */
  const through = () => {
    const { port } = proxy.address() as AddressInfo;
    const keys = { ...secret(), AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
    return withSecret(keys, undefined, { limits: { ...limits, stallSeconds: 300 } });
  };
  const source = { uri: 's3://models/big', ...named };

  test('resumes where it broke off', async () => {
    const model = await (await through()).fetch(source, progress, never);
    expect(model.digest).toBe(expectedDigest(big));
    expect(asked.filter((line) => /shard1.* bytes=[1-9]\d*-/.test(line))).toHaveLength(1);
  }, 120_000);

  test('does not join two versions of an object', async () => {
    const repository = await through();
    const changed = received.then(() => store.put('models', { 'big/shard1.bin': 'efgh'.repeat(1 << 20) }));
    received = changed;
    expect(await failure(repository.fetch(source, progress, never))).toEqual({
      reason: 'ModelInvalid',
      message: expect.stringMatching(/changed while the model was fetched/),
    });
    await changed;
  }, 120_000);
});

function one(): ModelSource {
  return { uri: 's3://models/one' };
}
