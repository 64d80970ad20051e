import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { cached, contentKey } from '../../../../model-server/native/cache.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cache-'));
});
afterEach(() => rm(directory, { recursive: true }));

const silent = () => {};
const build = (text: string) => async (into: string) => writeFile(join(into, 'file'), text);
const content = async (path: string) => readFile(join(path, 'file'), 'utf8');

test('builds once, then gives what is there', async () => {
  const first = await cached(directory, 'a', build('first'), silent);
  expect(await content(first)).toBe('first');
  expect(await cached(directory, 'a', build('second'), silent)).toBe(first);
  expect(await content(first)).toBe('first');
  expect(await readdir(directory)).toEqual(['a']);
});

test('of several at once one builds, and all get it', async () => {
  let builds = 0;
  const lines: string[] = [];
  const work = async (into: string) => {
    builds++;
    // Until the others have come and wait.
    while (lines.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await build('shared')(into);
  };
  const paths = await Promise.all(
    [1, 2, 3].map(() => cached(directory, 'a', work, (line) => lines.push(line))),
  );
  expect(builds).toBe(1);
  expect(new Set(paths).size).toBe(1);
  expect(lines).toHaveLength(2);
  expect(await readdir(directory)).toEqual(['a']);
});

test('a build that fails leaves nothing, and may be tried again', async () => {
  const failing = async (into: string) => {
    await build('half')(into);
    throw new Error('no space left');
  };
  await expect(cached(directory, 'a', failing, silent)).rejects.toThrow('no space left');
  expect(await readdir(directory)).toEqual([]);
  expect(await content(await cached(directory, 'a', build('whole'), silent))).toBe('whole');
});

test('what a killed process left, lock and half a build, is cleared away', async () => {
  const lock = join(directory, 'a.lock');
  await writeFile(lock, 'dead');
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(lock, longAgo, longAgo);
  await mkdir(join(directory, 'a.dead.unfinished'));
  await mkdir(join(directory, 'b.alive.unfinished'));
  expect(await content(await cached(directory, 'a', build('new'), silent))).toBe('new');
  expect((await readdir(directory)).sort()).toEqual(['a', 'b.alive.unfinished']);
});

test('keys tell contents apart, and where one part ends and the next begins', () => {
  expect(contentKey('a', Buffer.from('b'))).toBe(contentKey('a', 'b'));
  const keys = [contentKey('ab', 'c'), contentKey('a', 'bc'), contentKey('abc'), contentKey('abc', '')];
  expect(new Set(keys).size).toBe(4);
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{16}$/);
});
