import { execFileSync } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ModelSource } from '../../../../crds/model-service.ts';
import { isFileError, readableSentence } from '../../../../model-server/repository/file-error.ts';
import type { Repository } from '../../../../model-server/repository/repository.ts';
import {
  expectedDigest,
  repositoryIn,
  savedModel,
  temporaryDirectory,
  tfjsModel,
  writeFiles,
} from './origin.ts';

let home: string;
let volume: string;
let repository: Repository;
const never = new AbortController().signal;

beforeEach(async () => {
  home = await temporaryDirectory();
  volume = join(home, 'volumes', 'models');
  await mkdir(volume, { recursive: true });
  repository = await repositoryIn(home);
});

afterEach(() => rm(home, { recursive: true }));

const open = (source: ModelSource) => repository.fetch(source, () => {}, never);
const failure = (source: ModelSource) =>
  open(source).then(
    () => ({ reason: 'none', message: '' }),
    ({ reason, message }) => ({ reason, message }),
  );

test('one model on a volume is read where it lies', async () => {
  await writeFiles(join(volume, 'traffic'), savedModel);
  const model = await open({ uri: 'pvc://models/traffic' });
  expect(model).toMatchObject({
    directory: join(volume, 'traffic'),
    cached: false,
    digest: expectedDigest(savedModel),
  });
  expect(model.version).toBeUndefined();
});

test.each([
  ['small', 1],
  ['large, which a thread reads', 17 << 20],
])('the digest is what the documented shell line prints: %s', async (_, bytes) => {
  const directory = join(volume, 'm');
  await writeFiles(directory, { ...tfjsModel, Zed: '1', 'a-b': '2', 'a/b': '3', 'ä ö': '4' });
  await writeFile(join(directory, 'weights'), Buffer.alloc(bytes, 7));
  const command =
    'find . -type f -printf "%P\\n" | LC_ALL=C sort | xargs -d "\\n" sha256sum | sha256sum | cut -d" " -f1';
  const printed = execFileSync('sh', ['-c', command], { cwd: directory, encoding: 'utf8' }).trim();
  expect((await open({ uri: 'pvc://models/m' })).digest).toBe(`sha256:${printed}`);
});

test('the highest version directory, or the pinned one', async () => {
  await writeFiles(volume, { '9/model.json': 'nine', '10/model.json': 'ten', 'notes.txt': '' });
  expect(await open({ uri: 'pvc://models' })).toMatchObject({ version: 10 });
  expect(await open({ uri: 'pvc://models/', version: 9 })).toMatchObject({ version: 9 });
  expect(await open({ uri: `file://${volume}` })).toMatchObject({
    version: 10,
    directory: join(volume, '10'),
  });
});

describe('a look', () => {
  test('sees a new version, and files that are still being written', async () => {
    await writeFiles(volume, { '1/model.json': 'one' });
    const source = { uri: 'pvc://models' };
    const first = await repository.look(source);
    expect(first?.version).toBe(1);
    expect(await repository.look(source)).toEqual(first);
    await writeFiles(volume, { '2/model.json': '{' });
    const second = await repository.look(source);
    expect(second?.version).toBe(2);
    await writeFiles(volume, { '2/model.json': '{"more":1}' });
    expect((await repository.look(source))?.stamp).not.toBe(second?.stamp);
  });

  test('over http there is nothing to see', async () => {
    expect(await repository.look({ uri: 'http://127.0.0.1:9/m' })).toBeUndefined();
  });
});

test('files that change while the engine reads them are noticed', async () => {
  await writeFiles(join(volume, 'm'), tfjsModel);
  const model = await open({ uri: 'pvc://models/m' });
  await expect(model.assertUnchanged()).resolves.toBeUndefined();
  await writeFiles(join(volume, 'm'), { 'shard1.bin': 'replaced' });
  await expect(model.assertUnchanged()).rejects.toMatchObject({ reason: 'ModelInvalid', pace: 'soon' });
});

describe('what is wrong is said in a sentence', () => {
  test.each<[string, ModelSource, string, RegExp]>([
    ['no such path', { uri: 'pvc://models/nope' }, 'SourceNotFound', /above it holds "10", "empty"/],
    ['no such claim', { uri: 'pvc://other/m' }, 'SourceNotFound', /nothing at pvc:\/\/other\/m/],
    ['a file', { uri: 'pvc://models/file.txt' }, 'FormatUnknown', /is a file/],
    ['an empty directory', { uri: 'pvc://models/empty' }, 'SourceNotFound', /is empty/],
    ['no model', { uri: 'pvc://models/junk' }, 'FormatUnknown', /holds "readme.md": expected saved_model.pb/],
    ['an empty version', { uri: 'pvc://models/half' }, 'FormatUnknown', /half\/3 holds nothing/],
    [
      'no such version',
      { uri: 'pvc://models', version: 11 },
      'VersionNotFound',
      /no version directory 11, which spec\.model\.version asks for; it holds "10".*the highest, 10$/,
    ],
    ['a version of one model', { uri: 'pvc://models/10', version: 1 }, 'VersionNotFound', /is one model/],
    [
      'another format',
      { uri: 'pvc://models/10', format: 'SavedModel' },
      'FormatUnknown',
      /needs saved_model.pb/,
    ],
    ['a link inside', { uri: 'pvc://models/linked' }, 'FormatUnknown', /is a link/],
    ['a way out', { uri: 'pvc://models/../../..' }, 'AccessDenied', /leads out of its volume/],
    ['a link out', { uri: 'pvc://models/out' }, 'AccessDenied', /leads out of its volume/],
    [
      'another digest',
      { uri: 'pvc://models/10', digest: `sha256:${'1'.repeat(64)}` },
      'DigestMismatch',
      /have the digest sha256:/,
    ],
    ['no address', { uri: 'ftp://x/y' }, 'SourceNotFound', /expected https/],
  ])('%s', async (_what, source, reason, sentence) => {
    await writeFiles(volume, {
      '10/model.json': '{}',
      'file.txt': '',
      'junk/readme.md': '',
      'linked/model.json': '{}',
    });
    await mkdir(join(volume, 'empty'));
    await mkdir(join(volume, 'half/3'), { recursive: true });
    await symlink('/etc/passwd', join(volume, 'linked/weights.bin'));
    await symlink('/etc', join(volume, 'out'));
    expect(await failure(source)).toEqual({ reason, message: expect.stringMatching(sentence) });
  });

  test.each([
    ['EACCES', 'AccessDenied', /fsGroup/],
    ['ENOSPC', 'OutOfMemory', /model cache is full/],
    ['EIO', 'SourceUnreachable', /cannot be read \(EIO\)/],
  ])('%s', (code, reason, sentence) => {
    const error = Object.assign(new Error(code), { code, syscall: 'open' });
    expect(isFileError(error)).toBe(true);
    expect(readableSentence(error, 'pvc://models/m')).toMatchObject({
      reason,
      message: expect.stringMatching(sentence),
    });
  });
});

test('a link to a version on the same volume is followed', async () => {
  await writeFiles(volume, { 'builds/abc/model.json': '{}' });
  await mkdir(join(volume, 'traffic'));
  await symlink('../builds/abc', join(volume, 'traffic/3'));
  expect(await open({ uri: 'pvc://models/traffic' })).toMatchObject({ version: 3 });
});
