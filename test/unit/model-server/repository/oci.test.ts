import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loginOf, parseChallenge } from '../../../../model-server/repository/oci-access.ts';
import { describe as describeManifest } from '../../../../model-server/repository/oci-manifest.ts';
import {
  expectedDigest,
  type Origin,
  repositoryIn,
  sha256,
  startOrigin,
  temporaryDirectory,
} from './origin.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const layer = (mediaType: string, annotations?: object) => ({ mediaType, digest, size: 3, annotations });
const title = (name: string, more = {}) => ({ 'org.opencontainers.image.title': name, ...more });
const read = (document: unknown) => describeManifest(JSON.stringify(document), 'oci://r/m:1', 'amd64');

describe('a layer', () => {
  const tarType = 'application/vnd.oci.image.layer.v1.tar';
  test.each<[string, ReturnType<typeof layer>, string | undefined]>([
    ['a file as ORAS names it', layer(tarType, title('model.json')), 'model.json'],
    ['a file below', layer('text/x', title('./variables/a.index')), 'variables/a.index'],
    [
      'a packed directory',
      layer(`${tarType}+gzip`, title('m', { 'io.deis.oras.content.unpack': 'true' })),
      undefined,
    ],
    ['an archive', layer(tarType, title('m.tar.gz')), undefined],
    ['of an image', layer(`${tarType}+gzip`), undefined],
    ['of a docker image', layer('application/vnd.docker.image.rootfs.diff.tar.gzip'), undefined],
    [
      'of the CNCF model specification',
      layer('application/vnd.cncf.model.weight.v1.tar', { 'org.cncf.model.filepath': 'm' }),
      undefined,
    ],
    [
      'of the same, raw',
      layer('application/vnd.cncf.model.weight.v1.raw', { 'org.cncf.model.filepath': 'saved_model.pb' }),
      'saved_model.pb',
    ],
  ])('%s', (_what, given, path) => {
    expect(read({ layers: [given] })).toEqual({
      kind: 'layers',
      layers: [{ digest, size: 3, ...(path === undefined ? {} : { path }) }],
    });
  });

  test.each<[string, unknown, RegExp]>([
    ['no manifest', [], /no artifact that is understood/],
    ['no JSON', undefined, /no artifact/],
    ['no layers', { layers: [] }, /has no layers/],
    ['another kind of digest', { layers: [{ ...layer('x'), digest: 'md5:1' }] }, /layers\.0\.digest/],
    ['zstd', { layers: [layer(`${tarType}+zstd`)] }, /expected tar, tar\+gzip/],
    ['absolute', { layers: [layer('x', title('/etc/passwd'))] }, /leads out of the model/],
    ['two of a name', { layers: [layer('x', title('a')), layer('x', title('./a'))] }, /two layers named "a"/],
    [
      'nothing for us',
      { manifests: [platform('arm64'), platform('s390x')] },
      /none of them for linux\/amd64/,
    ],
  ])('refused: %s', (_what, document, sentence) => {
    expect(() => read(document)).toThrow(sentence);
  });

  test.each<[string, unknown[]]>([
    ['the only one', [{ digest: other }]],
    ['the one for this processor', [{ ...platform('arm64'), digest }, platform('amd64')]],
    [
      'not what a build tool adds',
      [{ digest: other }, { digest, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }],
    ],
  ])('of an index: %s', (_what, manifests) => {
    expect(read({ manifests })).toEqual({ kind: 'index', digest: other });
  });

  function platform(architecture: string) {
    return { digest: other, platform: { os: 'linux', architecture } };
  }
});

describe('access', () => {
  const auth = Buffer.from('me:pass:word').toString('base64');
  test.each<[string, object, string, object | undefined]>([
    ['an entry', { 'r.example:5000': { auth } }, 'r.example:5000', { username: 'me', password: 'pass:word' }],
    [
      'an entry with a scheme',
      { 'https://r.example/v1/': { auth } },
      'r.example',
      { username: 'me', password: 'pass:word' },
    ],
    [
      'Docker Hub',
      { 'https://index.docker.io/v1/': { auth } },
      'docker.io',
      { username: 'me', password: 'pass:word' },
    ],
    [
      'name and password',
      { r: { username: 'a', password: 'b', auth } },
      'r',
      { username: 'a', password: 'b' },
    ],
    ['another registry', { 'r.example': { auth } }, 'r.example:5000', undefined],
    ['an empty entry', { r: {} }, 'r', undefined],
  ])('%s', (_what, auths, registry, login) => {
    const settings = { '.dockerconfigjson': JSON.stringify({ auths }) };
    expect(loginOf(settings, registry, 'the Secret')).toEqual(login);
  });

  test.each<[string | null, object | undefined]>([
    [
      'Bearer realm="https://a/t?x=1",service="r",scope="repository:m:pull,push"',
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a/t?x=1', service: 'r', scope: 'repository:m:pull,push' },
      },
    ],
    ['basic Realm="a \\"b\\""', { scheme: 'basic', parameters: { realm: 'a "b"' } }],
    ['Negotiate', undefined],
    [null, undefined],
  ])('the challenge %s', (header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge);
  });
});

describe('a registry that misbehaves', () => {
  let origin: Origin;
  let home: string;
  const never = new AbortController().signal;
  const content = Buffer.alloc(4 << 20, 'weights');
  const files = { 'model.json': '{}', 'shard.bin': content };
  const blob = (bytes: string | Uint8Array) => `v2/m/blobs/sha256:${sha256(bytes)}`;
  const manifest = JSON.stringify({
    layers: Object.entries(files).map(([path, bytes]) => ({
      ...layer('x', title(path)),
      digest: `sha256:${sha256(bytes)}`,
    })),
  });

  beforeEach(async () => {
    home = await temporaryDirectory();
    origin = await startOrigin({
      'v2/': '{}',
      'v2/m/manifests/1': manifest,
      [`v2/m/manifests/${digest}`]: manifest,
      [blob('{}')]: '{}',
      [blob(content)]: content,
    });
  });
  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true });
  });
  const fetching = async (reference: string, progress = (_sentence: string) => {}) => {
    const secret = join(home, 'secret');
    await mkdir(secret, { recursive: true });
    await writeFile(join(secret, '.dockerconfigjson'), dockerConfig());
    const repository = await repositoryIn(home, 1 << 26, {
      credentials: { directory: secret, variables: {} },
    });
    const uri = `oci://${new URL(origin.url).host}/m${reference}`;
    return repository.fetch({ uri, credentialsSecretRef: { name: 'login' } }, progress, never);
  };
  const dockerConfig = () =>
    JSON.stringify({ auths: { [new URL(origin.url).host]: { username: 'me', password: 'secret' } } });

  test('with a layer that is not what its digest says', async () => {
    origin.files[blob('{}')] = '{ }';
    await expect(fetching(':1')).rejects.toMatchObject({
      reason: 'DigestMismatch',
      message: expect.stringMatching(/layer sha256:44136fa.*damaged or exchanged/),
    });
  });

  test('with a manifest that is not what its digest says', async () => {
    await expect(fetching(`@${digest}`)).rejects.toMatchObject({
      reason: 'DigestMismatch',
      message: expect.stringMatching(/the manifest at .* must have sha256:aaaa/),
    });
  });

  test('by hanging up in the middle of a layer: it goes on from there', async () => {
    let progress = (_sentence: string) => {};
    const received = new Promise<void>((resolve) => {
      progress = (sentence) => / [1-9][.\d]* MiB so far/.test(sentence) && resolve();
    });
    const asked: (string | undefined)[] = [];
    origin.misbehave = ({ url, headers }, response) => {
      if (url !== `/${blob(content)}`) return false;
      asked.push(headers.range);
      const from = Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0);
      if (from === 0) {
        response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 2 << 20));
        void received.then(() => response.destroy());
      } else {
        const range = `bytes ${from}-${content.length - 1}/${content.length}`;
        response.writeHead(206, { 'content-range': range }).end(content.subarray(from));
      }
      return true;
    };
    expect((await fetching(':1', progress)).digest).toBe(expectedDigest(files));
    expect(asked).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  });

  test('by sending the layers from elsewhere: the password stays here', async () => {
    const elsewhere = await startOrigin({ [blob('{}')]: '{}', [blob(content)]: content });
    const seen: unknown[] = [];
    elsewhere.misbehave = ({ headers }) => {
      seen.push(headers.authorization);
      return false;
    };
    origin.misbehave = ({ url = '', headers }, response) => {
      if (headers.authorization === undefined)
        return !!response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      return url.includes('/blobs/') && !!response.writeHead(307, { location: elsewhere.url + url }).end();
    };
    expect((await fetching(':1')).digest).toBe(expectedDigest(files));
    await elsewhere.close();
    expect(seen).toEqual([undefined, undefined]);
  });
});
