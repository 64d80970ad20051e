import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModelSource } from '../../../../crds/model-service.ts';
import { signedPart } from '../../../../model-server/repository/signature.ts';
import {
  type Origin,
  prefixed,
  repositoryIn,
  savedModel,
  sha256,
  startOrigin,
  tar,
  temporaryDirectory,
  tfjsModel,
  writeFiles,
} from './origin.ts';

type Pair = { publicKey: KeyObject; privateKey: KeyObject };
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const pemOf = ({ publicKey }: Pair) => publicKey.export({ type: 'spki', format: 'pem' }).toString();

let home: string;
let model: string;
beforeEach(async () => {
  home = await temporaryDirectory();
  model = join(home, 'volumes', 'models', 'm');
});
afterEach(() => rm(home, { recursive: true }));

/** The lines that are signed. */
const lines = (files: Record<string, string | Uint8Array>) =>
  Object.keys(files)
    .sort()
    .map((path) => `${sha256(files[path]!)}  ${path}\n`)
    .join('');

async function outcome(publicKey: string, uri = 'pvc://models/m', more: Partial<ModelSource> = {}) {
  const repository = await repositoryIn(home);
  const source = { uri, signature: { publicKey }, ...more };
  return repository
    .fetch(source, () => {}, new AbortController().signal)
    .then(
      ({ digest }) => ({ digest }),
      ({ reason, message }) => ({ reason, message }),
    );
}
const accepted = { digest: expect.stringMatching(/^sha256:/) };
const refused = (reason: string, message: RegExp) => ({ reason, message: expect.stringMatching(message) });

describe.each<[string, Pair, string | null]>([
  ['ECDSA', ec, 'sha256'],
  ['ECDSA P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sha384'],
  ['RSA', rsa, 'sha256'],
  ['Ed25519', ed25519, null],
])('%s', (_name, pair, hash) => {
  const signature = sign(hash, Buffer.from(lines(tfjsModel)), pair.privateKey);

  test.each([
    ['bytes', signature],
    ['base64', `${signature.toString('base64')}\n`],
  ])('a signature in %s is accepted', async (_form, content) => {
    await writeFiles(model, { ...tfjsModel, 'model.sig': content });
    expect(await outcome(pemOf(pair))).toEqual(accepted);
  });

  test('a tampered file, a file more and another key are refused', async () => {
    await writeFiles(model, { ...tfjsModel, 'model.sig': signature });
    expect(await outcome(pemOf(generateKeyPairSync('ed25519')))).toEqual(
      refused('SignatureInvalid', /^model.sig at pvc:\/\/models\/m is no signature of .*publicKey/),
    );
    await writeFile(join(model, 'extra'), '');
    expect((await outcome(pemOf(pair))) as object).toMatchObject({ reason: 'SignatureInvalid' });
    await rm(join(model, 'extra'));
    expect(await outcome(pemOf(pair))).toEqual(accepted);
    const weights = await readFile(join(model, 'shard1.bin'));
    await writeFile(join(model, 'shard1.bin'), Buffer.concat([weights, Buffer.from([0])]));
    expect((await outcome(pemOf(pair))) as object).toMatchObject({ reason: 'SignatureInvalid' });
  });
});

test('without a signature', async () => {
  await writeFiles(model, tfjsModel);
  expect(await outcome(pemOf(ec))).toEqual(
    refused('SignatureMissing', /holds neither model.sig nor model.sigstore.json/),
  );
});

test('openssl signs with the documented lines', async () => {
  await writeFiles(model, savedModel);
  await writeFile(join(home, 'key.pem'), ec.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const list = "find . -type f ! -name model.sig ! -name model.sigstore.json -printf '%P\\n'";
  execFileSync(
    'sh',
    [
      '-c',
      `${list} | LC_ALL=C sort | xargs -d '\\n' sha256sum > ../lines && openssl dgst -sha256 -sign "$KEY" -out model.sig ../lines`,
    ],
    { cwd: model, env: { ...process.env, KEY: join(home, 'key.pem') } },
  );
  expect(await outcome(pemOf(ec))).toEqual(accepted);
});

describe('a sigstore bundle', () => {
  const signature = sign('sha256', Buffer.from(lines(tfjsModel)), ec.privateKey).toString('base64');
  const digest = sha256(lines(tfjsModel));
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'x' }, tlogEntries: [] },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest }, signature },
  };

  test.each([
    ['of today', bundle],
    ['of older cosign', { base64Signature: signature }],
  ])('%s is accepted', async (_age, content) => {
    await writeFiles(model, { ...tfjsModel, 'model.sigstore.json': JSON.stringify(content) });
    expect(await outcome(pemOf(ec))).toEqual(accepted);
    expect(await outcome(pemOf(rsa))).toEqual(refused('SignatureInvalid', /^model.sigstore.json at/));
  });

  test.each([['{}'], ['not JSON'], ['{"dsseEnvelope":{}}']])('%s is refused', async (content) => {
    await writeFiles(model, { ...tfjsModel, 'model.sigstore.json': content });
    expect(await outcome(pemOf(ec))).toEqual(
      refused('SignatureInvalid', /m\/model.sigstore.json is no sigstore bundle/),
    );
  });
});

test.each([
  ['no PEM', 'key', /is not understood/],
  ['a short RSA key', pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 })), /1024 bits/],
  ['another kind', pemOf(generateKeyPairSync('x25519')), /kind x25519/],
])('%s as key is refused', async (_what, key, message) => {
  await writeFiles(model, { ...tfjsModel, 'model.sig': 'x' });
  expect(await outcome(key)).toEqual(refused('SignatureInvalid', message));
});

describe('over http', () => {
  let origin: Origin;
  const signature = sign('sha256', Buffer.from(lines(tfjsModel)), ec.privateKey);
  beforeEach(async () => {
    origin = await startOrigin({ ...prefixed('m', { ...tfjsModel, 'model.sig': signature }) });
  });
  afterEach(() => origin.close());

  test('the signature is fetched with the model, and checked for what is cached, too', async () => {
    const first = await outcome(pemOf(ec), `${origin.url}/m`);
    expect(first).toEqual(accepted);
    expect(await outcome(pemOf(ec), `${origin.url}/m`)).toEqual(first);
    const { digest } = first as { digest: string };
    expect(await outcome(pemOf(rsa), `${origin.url}/m`, { digest })).toMatchObject({
      reason: 'SignatureInvalid',
    });
  });

  test('in an archive', async () => {
    const entries = Object.entries({ ...tfjsModel, 'model.sig': signature.toString('base64') });
    origin.files['m.tar.gz'] = gzipSync(await tar(entries.map(([name, content]) => [{ name }, content])));
    expect(await outcome(pemOf(ec), `${origin.url}/m.tar.gz`)).toEqual(accepted);
    expect(await outcome(pemOf(rsa), `${origin.url}/m.tar.gz`)).toMatchObject({ reason: 'SignatureInvalid' });
  });
});

test('only the signatures of the directory itself are left out of what is signed', () => {
  expect(signedPart('1  a\n2  model.sig\n3  model.sigstore.json\n4  sub/model.sig\n')).toBe(
    '1  a\n4  sub/model.sig\n',
  );
});
