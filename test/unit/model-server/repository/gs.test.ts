/** Cloud Storage's JSON API as its documentation describes it, played by a small server. */
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModelSource } from '../../../../crds/model-service.ts';
import { systemClock } from '../../../../model-server/clock.ts';
import { sourceCredentials } from '../../../../model-server/repository/credentials.ts';
import { googleAccess } from '../../../../model-server/repository/google-access.ts';
import type { Repository } from '../../../../model-server/repository/repository.ts';
import { TemporaryKeys } from '../../../../model-server/repository/temporary.ts';
import {
  expectedDigest,
  type Files,
  limits,
  type Origin,
  prefixed,
  repositoryIn,
  savedModel,
  startOrigin,
  temporaryDirectory,
  tfjsModel,
} from './origin.ts';

let origin: Origin;
let home: string;
let objects: Files;
/** Token that is asked for; none: everybody may read. */
let wanted: string | undefined;
const never = new AbortController().signal;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const email = 'reader@city.iam.gserviceaccount.com';

beforeEach(async () => {
  home = await temporaryDirectory();
  wanted = undefined;
  objects = {
    ...prefixed('traffic/2', savedModel),
    ...prefixed('traffic/10', tfjsModel),
    'traffic/': '',
    'readme.md': 'x',
  };
  origin = await startOrigin({});
  origin.misbehave = answer;
});
afterEach(async () => {
  await origin.close();
  await rm(home, { recursive: true });
});

const PAGE_SIZE = 3;
const generationOf = (key: string) => String(1000 + String(objects[key]).length);

function answer(request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? '', origin.url);
  const query = url.searchParams;
  const send = (status: number, document: object) =>
    !!response.writeHead(status).end(JSON.stringify(document));
  if (url.pathname === '/token' || url.pathname.startsWith('/computeMetadata/'))
    return giveToken(request, response);
  if (wanted && request.headers.authorization !== `Bearer ${wanted}`) return send(401, {});
  if (url.pathname === '/storage/v1/b/models/o') {
    const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter')];
    const below = Object.keys(objects)
      .filter((key) => key.startsWith(prefix))
      .sort();
    const isDeep = (key: string) => delimiter !== null && key.slice(prefix.length).includes('/');
    const from = Number(query.get('pageToken') ?? 0);
    const page = below.slice(from, from + PAGE_SIZE);
    return send(200, {
      items: page.filter((key) => !isDeep(key)).map((name) => ({ name, generation: generationOf(name) })),
      prefixes: page.filter(isDeep).map((key) => `${prefix}${key.slice(prefix.length).split('/')[0]}/`),
      ...(from + PAGE_SIZE < below.length ? { nextPageToken: String(from + PAGE_SIZE) } : {}),
    });
  }
  const name = /^\/download\/storage\/v1\/b\/models\/o\/([^/]+)$/.exec(url.pathname)?.[1];
  const key = decodeURIComponent(name ?? '');
  const content = objects[key];
  const generation = query.get('generation') ?? generationOf(key);
  if (query.get('alt') !== 'media' || content === undefined || generation !== generationOf(key))
    return send(404, {});
  return !!response.writeHead(200).end(Buffer.from(content));
}

let tokens = 0;
function giveToken(request: IncomingMessage, response: ServerResponse): boolean {
  tokens++;
  if (request.method === 'GET') {
    if (request.headers['metadata-flavor'] !== 'Google') return !!response.writeHead(403).end();
    return !!response.end('{"access_token":"of the machine","expires_in":3600}');
  }
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    const [head = '', claims = '', signature = ''] = (new URLSearchParams(body).get('assertion') ?? '').split(
      '.',
    );
    const right = createVerify('RSA-SHA256')
      .update(`${head}.${claims}`)
      .verify(publicKey, signature, 'base64url');
    const { iss, aud, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    if (!right || iss !== email || aud !== `${origin.url}/token` || !scope.endsWith('devstorage.read_only'))
      return void response.writeHead(400).end('{"error":"invalid_grant"}');
    response.end('{"access_token":"of the account","expires_in":3600}');
  });
  return true;
}

const key = (more = {}) =>
  JSON.stringify({
    type: 'service_account',
    client_email: email,
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: `${origin.url}/token`,
    ...more,
  });

async function repositoryWith(secret: Record<string, string>, variables = {}): Promise<Repository> {
  const directory = join(home, 'secret');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(secret)) await writeFile(join(directory, name), text);
  const emulator = { STORAGE_EMULATOR_HOST: origin.url };
  return repositoryIn(home, undefined, {
    credentials: { directory, variables: { ...emulator, ...variables } },
  });
}

const failure = (fetching: Promise<unknown>) =>
  fetching.then(
    () => ({ reason: 'none', message: '' }),
    (error) => ({ reason: error.reason, message: String(error.message) }),
  );

test.each<[ModelSource, Files, number | undefined]>([
  [{ uri: 'gs://models/traffic' }, tfjsModel, 10],
  [{ uri: 'gs://models/traffic', version: 2 }, savedModel, 2],
  [{ uri: 'gs://models/traffic/2/saved_model.pb' }, savedModel, undefined],
])('%j is fetched, page by page', async (source, files, version) => {
  const model = await (await repositoryWith({})).fetch(source, () => {}, never);
  expect(model.digest).toBe(expectedDigest(files));
  expect(model.version).toBe(version);
});

test('a look finds a new version', async () => {
  const repository = await repositoryWith({});
  objects = { ...objects, ...prefixed('traffic/11', tfjsModel) };
  expect(await repository.look({ uri: 'gs://models/traffic' })).toMatchObject({ version: 11 });
});

describe('access', () => {
  test('with the key of a service account, whose token is kept', async () => {
    wanted = 'of the account';
    tokens = 0;
    const repository = await repositoryWith({ GOOGLE_APPLICATION_CREDENTIALS: key() });
    const source = { uri: 'gs://models/traffic', credentialsSecretRef: { name: 'google' } };
    expect(await repository.fetch(source, () => {}, never)).toMatchObject({ version: 10 });
    expect(tokens).toBe(1);
  });

  const onTheMachine = (signal = never) => ({
    credentials: sourceCredentials({ variables: { GCE_METADATA_HOST: new URL(origin.url).host } }),
    googleTokens: new TemporaryKeys<string>(systemClock),
    ...{ limits, clock: systemClock, signal },
  });

  test('lent by the metadata service', async () => {
    const access = await googleAccess(onTheMachine());
    expect(access).toMatchObject({ token: 'of the machine', endpoint: 'https://storage.googleapis.com' });
  });

  test('without anybody who lends: asked once, not for every file', async () => {
    let asked = 0;
    origin.misbehave = (_request, response) => {
      asked++;
      return !!response.writeHead(404).end();
    };
    const context = onTheMachine();
    const all = await Promise.all([googleAccess(context), googleAccess(context)]);
    expect([...all, await googleAccess(context)].map(({ token }) => token)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(asked).toBe(1);
  });

  test('a load that is given up does not count as nobody', async () => {
    const context = onTheMachine(AbortSignal.abort());
    await expect(googleAccess(context)).rejects.toThrow();
    expect(await googleAccess({ ...context, signal: never })).toMatchObject({ token: 'of the machine' });
  });

  test.each<[string, () => Record<string, string>, string, RegExp]>([
    ['nothing', () => ({}), 'AccessDenied', /without credentials.*GOOGLE_APPLICATION_CREDENTIALS/],
    ['no key', () => ({ GOOGLE_APPLICATION_CREDENTIALS: '{}' }), 'AccessDenied', /expected the JSON file/],
    [
      'no file',
      () => ({ GOOGLE_APPLICATION_CREDENTIALS: '/none' }),
      'AccessDenied',
      /expected the JSON file/,
    ],
    [
      'another account',
      () => ({ GOOGLE_APPLICATION_CREDENTIALS: key({ client_email: 'other@x' }) }),
      'AccessDenied',
      /token service of other@x answers 401.*may be revoked/,
    ],
    [
      'a damaged key',
      () => ({ GOOGLE_APPLICATION_CREDENTIALS: key({ private_key: 'secret' }) }),
      'AccessDenied',
      /the private key of reader@.* is damaged/,
    ],
  ])('with %s', async (_what, secret, reason, sentence) => {
    wanted = 'of the account';
    const repository = await repositoryWith(secret());
    const found = await failure(repository.fetch({ uri: 'gs://models/traffic' }, () => {}, never));
    expect(found).toEqual({ reason, message: expect.stringMatching(sentence) });
    expect(found.message).not.toContain('BEGIN');
  });
});

test('nothing there, with what is beside it', async () => {
  const repository = await repositoryWith({});
  const attempt = (uri: string) => failure(repository.fetch({ uri }, () => {}, never));
  expect(await attempt('gs://models/none')).toEqual({
    reason: 'SourceNotFound',
    message: expect.stringMatching(/nothing below gs:\/\/models\/none\/.*"readme.md", "traffic"/),
  });
  expect((await attempt('gs://elsewhere/m')).message).toMatch(/there is no bucket elsewhere/);
  expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
});
