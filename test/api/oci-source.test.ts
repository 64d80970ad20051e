/** Models as artifacts in a real registry, fetched by the model server's repository. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Repository } from '../../model-server/repository/repository.ts';
import {
  expectedDigest,
  type Files,
  repositoryIn,
  savedModel,
  tar,
  temporaryDirectory,
  tfjsModel,
} from '../unit/model-server/repository/origin.ts';
import { LOGIN, type PushedLayer, startRegistry, type TestRegistry } from './registry.ts';

/** ORAS calls every file a tar layer unless it is told otherwise. */
const FILE = 'application/vnd.oci.image.layer.v1.tar';
const PACKED = 'application/vnd.oci.image.layer.v1.tar+gzip';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const title = (name: string) => ({ 'org.opencontainers.image.title': name });
const unpack = { 'io.deis.oras.content.unpack': 'true' };

let registry: TestRegistry;
let home: string;
let digests: Record<string, string>;
const never = new AbortController().signal;

const single = (files: Files): PushedLayer[] =>
  Object.entries(files).map(([path, content]) => ({ mediaType: FILE, content, annotations: title(path) }));
const packed = async (files: Files, prefix = '') =>
  gzipSync(
    await tar(
      Object.entries(files).map(([path, content]) => [{ name: `${prefix}${path}` }, String(content)]),
    ),
  );
const directory = async (name: string, files: Files): Promise<PushedLayer> => ({
  mediaType: PACKED,
  content: await packed(files, `${name}/`),
  annotations: { ...title(name), ...unpack },
});

beforeAll(async () => {
  registry = await startRegistry();
  const model = { 'model.json': '{}' };
  digests = {
    files: await registry.push('city/traffic', 'files', single(savedModel)),
    directory: await registry.push('city/traffic', 'directory', [await directory('traffic', tfjsModel)]),
    versions: await registry.push('city/traffic', 'versions', [
      await directory('2', tfjsModel),
      await directory('10', model),
    ]),
    archive: await registry.push('city/traffic', 'archive', [
      { mediaType: FILE, content: await packed(tfjsModel), annotations: title('m.tar.gz') },
    ]),
    image: await registry.push('city/traffic', 'image', [
      { mediaType: PACKED, content: await packed(tfjsModel) },
    ]),
    public: await registry.push('public/traffic', '1', single(model)),
  };
  const entry = (digest = '', architecture: string) => ({
    ...{ mediaType: MANIFEST, digest, size: 1 },
    platform: { os: 'linux', architecture },
  });
  const own = process.arch === 'x64' ? 'amd64' : process.arch;
  digests['index'] = await registry.pushManifest('city/traffic', 'index', {
    ...{ schemaVersion: 2, mediaType: INDEX },
    manifests: [entry(digests['archive'], 'other'), entry(digests['files'], own)],
  });
}, 900_000);
afterAll(() => registry.close());
beforeEach(async () => {
  home = await temporaryDirectory();
});
afterEach(() => rm(home, { recursive: true }));

const dockerConfig = (host: string, { username, password } = LOGIN) => ({
  '.dockerconfigjson': JSON.stringify({
    auths: {
      'other.example.org': { auth: 'eDp5' },
      [host]: { auth: Buffer.from(`${username}:${password}`).toString('base64') },
    },
  }),
});

async function withSecret(keys: Record<string, string>, maxModelBytes?: number): Promise<Repository> {
  const secret = join(home, 'secret');
  await mkdir(secret, { recursive: true });
  for (const [name, text] of Object.entries(keys)) await writeFile(join(secret, name), text);
  return repositoryIn(home, maxModelBytes, { credentials: { directory: secret, variables: {} } });
}

const named = { credentialsSecretRef: { name: 'registry-login' } };
const fetchFrom = (repository: Repository, reference: string, more = {}) =>
  repository.fetch({ uri: `oci://${registry.host}/${reference}`, ...named, ...more }, () => {}, never);
const failure = (fetching: Promise<unknown>) =>
  fetching.then(
    () => ({ reason: 'none', message: '' }),
    (error) => ({ reason: error.reason, message: String(error.message) }),
  );

describe('what is fetched', () => {
  test.each<[string, object, Files, number | undefined]>([
    ['files', {}, savedModel, undefined],
    ['directory', {}, tfjsModel, undefined],
    ['versions', {}, { 'model.json': '{}' }, 10],
    ['versions', { version: 2 }, tfjsModel, 2],
    ['archive', {}, tfjsModel, undefined],
    ['image', {}, tfjsModel, undefined],
    ['index', {}, savedModel, undefined],
  ])('%s %j by tag and by digest', async (name, more, files, version) => {
    const repository = await withSecret(dockerConfig(registry.host));
    for (const reference of [`city/traffic:${name}`, `city/traffic@${digests[name]}`]) {
      const model = await fetchFrom(repository, reference, more);
      expect(model).toMatchObject({ digest: expectedDigest(files), cached: true });
      expect(model.version).toBe(version);
      for (const [path, content] of Object.entries(files))
        expect(await readFile(join(model.directory, path))).toEqual(Buffer.from(content));
    }
    expect(registry.scopes).toContain('repository:city/traffic:pull');
  });

  test('what is public, without a login, and with a name and password', async () => {
    expect(await fetchFrom(await withSecret({}), 'public/traffic:1')).toMatchObject({ cached: true });
    const repository = await withSecret(LOGIN);
    expect(await fetchFrom(repository, 'city/traffic:files')).toMatchObject({ cached: true });
  });

  test('an unchanged tag is not fetched again, a moved one is', async () => {
    await registry.push('city/moving', 'latest', single({ 'model.json': '{}' }));
    const repository = await withSecret(dockerConfig(registry.host));
    const first = await fetchFrom(repository, 'city/moving:latest');
    expect(await fetchFrom(repository, 'city/moving:latest')).toMatchObject({ directory: first.directory });
    await registry.push('city/moving', 'latest', single(tfjsModel));
    expect((await fetchFrom(repository, 'city/moving:latest')).digest).toBe(expectedDigest(tfjsModel));
  });
});

describe('what is refused, in sentences', () => {
  const config = () => dockerConfig(registry.host);
  const zeros = `sha256:${'0'.repeat(64)}`;
  test.each<[string, string, object, () => Record<string, string>, string, RegExp]>([
    ['no login', 'city/traffic:files', {}, () => ({}), 'AccessDenied', /without a login.*\.dockerconfigjson/],
    [
      'a login for another',
      'city/traffic:files',
      {},
      () => dockerConfig('x'),
      'AccessDenied',
      /for this registry/,
    ],
    [
      'a wrong password',
      'city/traffic:files',
      {},
      () => dockerConfig(registry.host, { ...LOGIN, password: 'no' }),
      'AccessDenied',
      /the login "puller".*correct its password/,
    ],
    [
      'garbage',
      'city/traffic:files',
      {},
      () => ({ '.dockerconfigjson': '{' }),
      'AccessDenied',
      /not understood/,
    ],
    ['no tag', 'city/traffic:none', {}, config, 'SourceNotFound', /nothing at oci:.*correct the repository/],
    ['no digest', `city/traffic@${zeros}`, {}, config, 'SourceNotFound', /nothing at oci:/],
    ['another model', 'city/traffic:files', { digest: zeros }, config, 'DigestMismatch', /spec.model.digest/],
  ])('%s', async (_what, reference, more, keys, reason, sentence) => {
    const found = await failure(fetchFrom(await withSecret(keys()), reference, more));
    expect(found).toEqual({ reason, message: expect.stringMatching(sentence) });
    expect(found.message).not.toContain(LOGIN.password);
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });

  const symlink = async () =>
    gzipSync(await tar([[{ name: 'model.json', type: 'symlink', linkname: '/etc/passwd' }]]));
  test.each<[string, () => Promise<PushedLayer[]>, string, RegExp]>([
    ['climbing', async () => single({ '../model.json': '{}' }), 'FormatUnknown', /leads out of the model/],
    [
      'two of a name',
      async () => single({ 'm/../model.json': '', './model.json': '' }),
      'FormatUnknown',
      /leads out/,
    ],
    ['a link', async () => [{ mediaType: PACKED, content: await symlink() }], 'FormatUnknown', /the symlink/],
    ['unnamed', async () => [{ mediaType: 'text/x', content: 'x' }], 'FormatUnknown', /without a name/],
    ['no model', async () => single({ 'readme.md': 'x' }), 'FormatUnknown', /holds "readme.md"/],
    [
      'a bomb',
      async () => [{ mediaType: PACKED, content: await packed({ 'model.json': '0'.repeat(3 << 20) }) }],
      'ModelInvalid',
      /MODEL_SERVER_MAX_MODEL_BYTES/,
    ],
  ])('layers: %s', async (what, layers, reason, sentence) => {
    const tag = what.replaceAll(' ', '-');
    await registry.push('city/evil', tag, await layers());
    const repository = await withSecret(config(), 1 << 20);
    expect(await failure(fetchFrom(repository, `city/evil:${tag}`))).toEqual({
      reason,
      message: expect.stringMatching(sentence),
    });
    expect(await readdir(join(home, 'cache/models'))).toEqual([]);
  });
});
