import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModelSource } from '../../../../crds/model-service.ts';
import type { LocalModel, RepositoryOptions } from '../../../../model-server/repository/repository.ts';
import {
  expectedDigest,
  limits,
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

let origin: Origin;
let home: string;
const never = new AbortController().signal;

beforeEach(async () => {
  home = await temporaryDirectory();
  origin = await startOrigin({
    ...prefixed('tfjs', tfjsModel),
    ...prefixed('saved', savedModel),
    ...prefixed('versions/7', tfjsModel),
  });
});
afterEach(async () => {
  await origin.close();
  await rm(home, { recursive: true });
});

async function fetchModel(
  source: Partial<ModelSource> & { uri: string },
  maxModelBytes?: number,
  more: Partial<RepositoryOptions> = {},
): Promise<LocalModel> {
  const repository = await repositoryIn(home, maxModelBytes, more);
  return repository.fetch({ ...source, uri: `${origin.url}/${source.uri}` }, () => {}, never);
}

const failure = (...wanted: Parameters<typeof fetchModel>) =>
  fetchModel(...wanted).then(
    () => ({ reason: 'none', message: '' }),
    (error) => ({ reason: error.reason, message: String(error.message) }),
  );

describe('what is fetched', () => {
  test.each([
    ['tfjs', {}, tfjsModel],
    ['tfjs/', { format: 'TFJSGraph' as const }, tfjsModel],
    ['tfjs/model.json', {}, tfjsModel],
    ['saved', {}, savedModel],
    ['saved/saved_model.pb', {}, savedModel],
  ])('%s', async (uri, more, files) => {
    const model = await fetchModel({ uri, ...more });
    expect(model).toMatchObject({ digest: expectedDigest(files), cached: true });
    expect(model.version).toBeUndefined();
    for (const [path, content] of Object.entries(files)) {
      expect(await readFile(join(model.directory, path))).toEqual(Buffer.from(content));
    }
  });

  test('a pinned version directory', async () => {
    expect(await fetchModel({ uri: 'versions', version: 7 })).toMatchObject({ version: 7 });
    expect(await failure({ uri: 'versions', version: 8 })).toEqual({
      reason: 'VersionNotFound',
      message: `there is neither model.json nor saved_model.pb at ${origin.url}/versions/8/: correct spec.model.version, which is 8, or spec.model.uri, which has to be the directory that holds 8/`,
    });
    expect(await failure({ uri: 'tfjs/', version: 8 })).toEqual({
      reason: 'VersionNotFound',
      message: expect.stringMatching(
        /tfjs\/8\/, but http:\S+\/tfjs\/ holds model\.json itself: remove spec\.model\.version, which is 8/,
      ),
    });
    expect(await failure({ uri: 'versions' })).toEqual({
      reason: 'SourceNotFound',
      message: expect.stringContaining('set spec.model.version'),
    });
  });

  test.each([
    [{ uri: 'tfjs', format: 'SavedModel' }, '/tfjs/ holds model.json and no saved_model.pb, which'],
    [
      { uri: 'versions', version: 7, format: 'SavedModel' },
      '/versions/7/ holds model.json and no saved_model.pb',
    ],
    [{ uri: 'saved', format: 'TFJSGraph' }, '/saved/ holds saved_model.pb and no model.json, which'],
  ] as const)('never another format than the wanted one: %j', async (source, sentence) => {
    const { reason, message } = await failure(source);
    expect(reason).toBe('FormatUnknown');
    expect(message).toContain(sentence);
    expect(message).toContain(`spec.model.format ${source.format} needs: remove spec.model.format`);
  });

  test.each([
    [
      'of one model',
      [
        ['./', undefined],
        ['./model.json', '{}'],
      ],
      {},
      undefined,
    ],
    [
      'with the model in a directory of its name',
      [
        ['traffic/', undefined],
        ['traffic/model.json', '{}'],
      ],
      {},
      undefined,
    ],
    [
      'of versions, the highest',
      [
        ['m/2/model.json', 'two'],
        ['m/10/model.json', '{}'],
      ],
      {},
      10,
    ],
    [
      'of versions, a pinned one',
      [
        ['2/model.json', '{}'],
        ['10/model.json', 'ten'],
      ],
      { version: 2 },
      2,
    ],
  ] as [string, [string, string | undefined][], object, number | undefined][])(
    'an archive %s',
    async (_what, entries, more, version) => {
      const archive = await tar(
        entries.map(([name, content]) => [
          { name, type: content === undefined ? 'directory' : 'file' },
          content,
        ]),
      );
      origin.files['m.tar.gz'] = gzipSync(archive);
      origin.files['m.tar'] = archive;
      for (const uri of ['m.tar.gz', 'm.tar']) {
        const model = await fetchModel({ uri, ...more });
        expect(model.digest).toBe(expectedDigest({ 'model.json': '{}' }));
        expect(model.version).toBe(version);
      }
    },
  );
});

describe('broken transfers', () => {
  test('resume where they broke off', async () => {
    const weights = Buffer.alloc(4 << 20, 'weights');
    origin.files['tfjs/shard1.bin'] = weights;
    let progress = (_sentence: string) => {};
    const received = new Promise<void>((resolve) => {
      progress = (sentence) => / [1-9][.\d]* MiB so far/.test(sentence) && resolve();
    });
    origin.misbehave = (request, response) => {
      if (request.url !== '/tfjs/shard1.bin' || request.headers.range) return false;
      response.setHeader('etag', `"${sha256(weights).slice(0, 8)}"`);
      response.writeHead(200, { 'content-length': weights.length }).write(weights.subarray(0, 2 << 20));
      void received.then(() => response.destroy());
      return true;
    };
    const repository = await repositoryIn(home);
    const model = await repository.fetch({ uri: `${origin.url}/tfjs` }, progress, never);
    expect(model.digest).toBe(expectedDigest({ ...tfjsModel, 'shard1.bin': weights }));
    expect(origin.requests.filter((line) => /bytes=[1-9]\d*-/.test(line))).toHaveLength(1);
  });

  test('start again when the file has no strong validator or has become another', async () => {
    let cut = 0;
    origin.misbehave = (request, response) => {
      if (request.url !== '/tfjs/shard1.bin' || cut++ > 0) return false;
      response.setHeader('etag', '"older"');
      response.writeHead(200, { 'content-length': 5000 });
      response.write('z'.repeat(2000), () => response.destroy());
      return true;
    };
    expect((await fetchModel({ uri: 'tfjs' })).digest).toBe(expectedDigest(tfjsModel));
  });

  test('a busy origin is asked again', async () => {
    let busy = 2;
    origin.misbehave = (_request, response) => {
      if (busy-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    };
    expect((await fetchModel({ uri: 'tfjs' })).digest).toBe(expectedDigest(tfjsModel));
  });

  test.each<[string, NonNullable<Origin['misbehave']>, string, RegExp]>([
    ['always busy', (_, r) => !!r.writeHead(503).end(), 'SourceUnreachable', /answers 503/],
    ['forbidden', (_, r) => !!r.writeHead(403).end(), 'AccessDenied', /answers 403.*pvc:/],
    ['hanging up', (q) => !!q.socket.destroy(), 'SourceUnreachable', /connection was cut/],
    [
      'ending early',
      (_, r) => !!r.writeHead(200, { 'content-length': 10 }).write('{}', () => r.destroy()),
      'SourceUnreachable',
      /connection was cut|ended before/,
    ],
    [
      'redirecting for ever',
      (q, r) => !!r.writeHead(302, { location: `${q.url}?signature=secret` }).end(),
      'SourceUnreachable',
      /redirects more than 5 times/,
    ],
    [
      'redirecting to a file',
      (_, r) => !!r.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'SourceUnreachable',
      /redirects to file:/,
    ],
    [
      'answering with a web page',
      (_, r) => !!r.writeHead(200).end('<html>'),
      'FormatUnknown',
      /is a web page/,
    ],
  ])('an origin that is %s', async (_what, misbehave, reason, sentence) => {
    origin.misbehave = misbehave;
    const found = await failure({ uri: 'tfjs/model.json' });
    expect(found).toEqual({ reason, message: expect.stringMatching(sentence) });
    expect(found.message).not.toContain('secret');
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });

  test('an origin that is mute', async () => {
    origin.misbehave = () => true;
    const impatient = { limits: { ...limits, stallSeconds: 0.5 } };
    expect(await failure({ uri: 'tfjs/model.json' }, undefined, impatient)).toEqual({
      reason: 'SourceUnreachable',
      message: expect.stringMatching(/sent nothing for 0.5 s/),
    });
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });

  test('nothing listens, no such host', async () => {
    const repository = await repositoryIn(home);
    const attempt = (uri: string) => repository.fetch({ uri }, () => {}, never);
    await origin.close();
    await expect(attempt(`${origin.url}/m`)).rejects.toMatchObject({
      reason: 'SourceUnreachable',
      message: expect.stringContaining('nothing listens there'),
    });
    await expect(attempt('http://no-such-host.invalid/m')).rejects.toMatchObject({
      reason: 'SourceUnreachable',
      message: expect.stringContaining('DNS'),
    });
  });

  test('an aborted fetch ends at once and leaves nothing', async () => {
    origin.misbehave = () => true;
    const abort = new AbortController();
    const repository = await repositoryIn(home);
    const fetching = repository.fetch({ uri: `${origin.url}/tfjs` }, () => {}, abort.signal);
    abort.abort();
    await expect(fetching).rejects.toThrow();
    expect(await readdir(join(home, 'cache/partial'))).toEqual([]);
  });
});

describe('access', () => {
  const secret = { name: 'store' };
  const withSecret = async (files: Record<string, string>) => {
    await writeFiles(join(home, 'secret'), files);
    return repositoryIn(home, undefined, {
      credentials: { directory: join(home, 'secret'), variables: { token: 'of nobody' } },
    });
  };
  const guard = (wanted: string) => {
    origin.misbehave = (request, response) =>
      request.headers.authorization !== wanted && !!response.writeHead(401).end();
  };

  test.each([
    [{ token: 'abc\n' }, 'Bearer abc'],
    [{ username: 'me', password: 'pass word' }, 'Basic bWU6cGFzcyB3b3Jk'],
  ])('with %j', async (files, header) => {
    guard(header);
    const repository = await withSecret(files as Record<string, string>);
    const source = { uri: `${origin.url}/tfjs`, credentialsSecretRef: secret };
    expect(await repository.fetch(source, () => {}, never)).toMatchObject({ cached: true });
  });

  test('refused, with what was tried', async () => {
    guard('Bearer other');
    const repository = await withSecret({ token: 'abc' });
    const source = { uri: `${origin.url}/tfjs`, credentialsSecretRef: secret };
    await expect(repository.fetch(source, () => {}, never)).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.stringMatching(/answers 401: the token from the Secret "store".*renew/),
    });
  });

  test('never given to where an address redirects to', async () => {
    const elsewhere = await startOrigin(prefixed('tfjs', tfjsModel));
    const seen: unknown[] = [];
    elsewhere.misbehave = (request) => {
      seen.push(request.headers.authorization);
      return false;
    };
    origin.misbehave = (request, response) =>
      !!response.writeHead(302, { location: `${elsewhere.url}${request.url}` }).end();
    const repository = await withSecret({ token: 'abc' });
    await repository.fetch({ uri: `${origin.url}/tfjs`, credentialsSecretRef: secret }, () => {}, never);
    await elsewhere.close();
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  test('a renewed Secret is seen by a look', async () => {
    const repository = await withSecret({ token: 'old' });
    const source = { uri: `${origin.url}/tfjs`, credentialsSecretRef: secret };
    const before = await repository.look(source);
    expect(await repository.look(source)).toEqual(before);
    await writeFile(join(home, 'secret/token'), 'new');
    expect(await repository.look(source)).not.toEqual(before);
    expect(await repository.look({ uri: source.uri })).toBeUndefined();
  });
});

describe('what must not be let in', () => {
  test.each([['../../etc/passwd'], ['/etc/passwd'], ['https://elsewhere/shard.bin'], ['a\\b']])(
    'a weight file called %s',
    async (path) => {
      origin.files['evil/model.json'] = JSON.stringify({ weightsManifest: [{ paths: [path] }] });
      expect(await failure({ uri: 'evil' })).toEqual({
        reason: 'FormatUnknown',
        message: expect.stringContaining('beside or below model.json'),
      });
      expect(origin.requests).toHaveLength(1);
    },
  );

  test.each([
    ['climbing out', { name: '../model.json' }, /leads out of the archive/],
    ['absolute', { name: '/model.json' }, /leads out of the archive/],
    [
      'a symbolic link',
      { name: 'model.json', type: 'symlink', linkname: '/etc/passwd' },
      /holds the symlink/,
    ],
    ['a hard link', { name: 'model.json', type: 'link', linkname: 'x' }, /holds the link/],
    ['a device', { name: 'model.json', type: 'character-device' }, /holds the character-device/],
  ] as const)('an archive entry that is %s', async (_what, header, sentence) => {
    origin.files['evil.tar.gz'] = gzipSync(await tar([[header as { name: string }]]));
    expect(await failure({ uri: 'evil.tar.gz' })).toEqual({
      reason: 'FormatUnknown',
      message: expect.stringMatching(sentence),
    });
  });

  test('an archive that unpacks to more than the bound', async () => {
    const archive = await tar([[{ name: 'model.json' }, '0'.repeat(3 << 20)]]);
    origin.files['bomb.tar.gz'] = gzipSync(archive);
    expect(await failure({ uri: 'bomb.tar.gz' }, 1 << 20)).toEqual({
      reason: 'ModelInvalid',
      message: expect.stringContaining('MODEL_SERVER_MAX_MODEL_BYTES'),
    });
    expect(await readdir(join(home, 'cache/models'))).toEqual([]);
  });

  test('a download beyond the bound ends early', async () => {
    origin.files['tfjs/shard1.bin'] = 'x'.repeat(4 << 20);
    expect((await failure({ uri: 'tfjs' }, 1 << 20)).reason).toBe('ModelInvalid');
  });

  test.each([
    ['garbage', Buffer.from('not a tar at all'.repeat(100))],
    ['a cut gzip', gzipSync(Buffer.alloc(100_000, 'x')).subarray(0, 60)],
    ['empty', Buffer.alloc(0)],
  ])('an archive that is %s', async (_what, content) => {
    origin.files['bad.tar.gz'] = content;
    expect((await failure({ uri: 'bad.tar.gz' })).reason).toBe('FormatUnknown');
  });

  test('another digest than the pinned one', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    expect(await failure({ uri: 'tfjs', digest })).toEqual({
      reason: 'DigestMismatch',
      message: expect.stringContaining(expectedDigest(tfjsModel)),
    });
    expect(await readdir(join(home, 'cache/models'))).toEqual([]);
  });
});

describe('the cache', () => {
  test('a pinned model in it is not fetched again', async () => {
    const digest = expectedDigest(tfjsModel);
    await fetchModel({ uri: 'tfjs', digest });
    const asked = origin.requests.length;
    await fetchModel({ uri: 'tfjs', digest });
    expect(origin.requests).toHaveLength(asked);
  });

  test('unchanged files are not sent again, changed ones are', async () => {
    const first = await fetchModel({ uri: 'tfjs' });
    origin.requests.length = 0;
    expect((await fetchModel({ uri: 'tfjs' })).directory).toBe(first.directory);
    expect(origin.requests.every((line) => line.includes('if-none-match'))).toBe(true);
    origin.files['tfjs/shard1.bin'] = 'other weights';
    const changed = await fetchModel({ uri: 'tfjs' });
    expect(changed.digest).toBe(expectedDigest({ ...tfjsModel, 'shard1.bin': 'other weights' }));
  });

  test('serves what the address gave last when it does not answer, but nothing that was tampered with', async () => {
    const first = await fetchModel({ uri: 'saved' });
    origin.misbehave = (_request, response) => !!response.writeHead(502).end();
    expect((await fetchModel({ uri: 'saved' })).directory).toBe(first.directory);
    await writeFile(join(first.directory, 'saved_model.pb'), 'tampered');
    expect((await failure({ uri: 'saved' })).reason).toBe('SourceUnreachable');
  });

  test('keeps what is named and the one before it', async () => {
    const repository = await repositoryIn(home);
    const digests: string[] = [];
    for (const version of [1, 2, 3]) {
      origin.files['tfjs/shard1.bin'] = `weights ${version}`;
      const model = await repository.fetch({ uri: `${origin.url}/tfjs` }, () => {}, never);
      digests.push(model.digest);
      await repository.keep(new Set([model.digest]));
    }
    const kept = (await readdir(join(home, 'cache/models'))).map((name) => `sha256:${name}`);
    expect(kept.sort()).toEqual(digests.slice(1).sort());
  });
});
