import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { contentHash, exclusively, once } from '../../region/cache.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aicity-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('once', () => {
  test('makes a file one time, however many ask for it at once', async () => {
    let made = 0;
    const make = async (path: string) => {
      made += 1;
      await new Promise((later) => setTimeout(later, 50));
      writeFileSync(path, 'content');
    };
    const path = join(folder, 'deep', 'file');
    await Promise.all([once(path, make), once(path, make), once(path, make)]);
    expect(made).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe('content');
  });

  test('leaves nothing behind when making fails, and tries again next time', async () => {
    const path = join(folder, 'file');
    const failing = async (temporary: string) => {
      writeFileSync(temporary, 'half');
      throw new Error('disk full');
    };
    await expect(once(path, failing)).rejects.toThrow('disk full');
    expect(readdirSync(folder)).toEqual([]);
    await once(path, async (temporary) => writeFileSync(temporary, 'whole'));
    expect(readFileSync(path, 'utf8')).toBe('whole');
  });

  test('makes folders too', async () => {
    const path = await once(join(folder, 'programs'), async (temporary) => {
      mkdirSync(temporary);
      writeFileSync(join(temporary, 'program'), '');
    });
    expect(existsSync(join(path, 'program'))).toBe(true);
  });
});

describe('exclusively', () => {
  test('runs one at a time under one name, also after one has failed', async () => {
    const name = join(folder, 'lock');
    let inside = 0;
    let most = 0;
    const work = async (fails: boolean) => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((later) => setTimeout(later, 10));
      inside -= 1;
      if (fails) throw new Error('failed');
    };
    const outcomes = await Promise.allSettled([
      exclusively(name, () => work(true)),
      exclusively(name, () => work(false)),
      exclusively(name, () => work(false)),
    ]);
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(most).toBe(1);
  });

  test('does not hold up work under another name', async () => {
    const answer = exclusively(join(folder, 'a'), () => exclusively(join(folder, 'b'), async () => 'both'));
    expect(await answer).toBe('both');
  });
});

describe('contentHash', () => {
  const write = (name: string, content: string) => {
    mkdirSync(join(folder, 'tree', 'inner'), { recursive: true });
    writeFileSync(join(folder, 'tree', name), content);
  };
  const hash = () => contentHash({ paths: [join(folder, 'tree')] });

  test('changes with a file, its name and the texts, and with nothing else', () => {
    write('a', '1');
    write('inner/b', '2');
    const before = hash();
    expect(hash()).toBe(before);
    write('inner/b', '3');
    const changed = hash();
    expect(changed).not.toBe(before);
    write('inner/b', '2');
    expect(hash()).toBe(before);
    rmSync(join(folder, 'tree', 'a'));
    write('c', '1');
    expect(hash()).not.toBe(before);
  });

  test('keeps texts apart', () => {
    expect(contentHash({ texts: ['ab', 'c'] })).not.toBe(contentHash({ texts: ['a', 'bc'] }));
  });
});
