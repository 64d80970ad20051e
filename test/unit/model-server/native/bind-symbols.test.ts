/** Binding a library's references to its own symbols, seen by programs that load it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { bindSymbols } from '../../../../model-server/native/bind-symbols.ts';

const SOURCES = {
  'other.cc': `
    inline int counter = 0;
    extern "C" int both() { return 3; }
    extern "C" int outside() { return 4; }
    extern "C" int counted() { return counter; }`,
  'library.cc': `
    inline int counter = 0;
    extern "C" int outside();
    extern "C" int own() { return 1; }
    extern "C" __attribute__((weak)) int weak() { return 2; }
    extern "C" int both() { return 9; }
    int value = 5;
    int *pointer = &value;
    int (*table[])() = {own, weak, both, outside};
    extern "C" int called() { return own() * 1000 + weak() * 100 + both() * 10 + outside(); }
    extern "C" int tabled() {
      int sum = 0;
      for (auto entry : table) sum = sum * 10 + entry();
      return sum;
    }
    extern "C" int pointed() { return *pointer; }
    extern "C" void count() { counter++; }`,
  'interposer.cc': 'extern "C" int own() { return 7; }',
  'main.cc': `
    #include <cstdio>
    extern "C" int called(), tabled(), pointed(), counted();
    extern "C" void count();
    int main() {
      count();
      std::printf("%d %d %d %d", called(), tabled(), pointed(), counted());
    }`,
};

let folder: string;
const at = (name: string) => join(folder, name);
const compile = (...args: string[]) => execFileSync('g++', ['-std=c++17', '-O0', ...args], { cwd: folder });
const library = (name: string, ...more: string[]) =>
  compile('-shared', '-fPIC', `${name}.cc`, '-o', `lib${name}.so`, ...more);
/** What the program prints. @param preload a library that is asked before all others */
const output = (preload?: string) =>
  execFileSync(at('main'), {
    encoding: 'utf8',
    env: { LD_LIBRARY_PATH: folder, ...(preload === undefined ? {} : { LD_PRELOAD: at(preload) }) },
  });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bind-'));
  for (const [name, text] of Object.entries(SOURCES)) writeFileSync(at(name), text);
  library('other');
  library('interposer');
  library('library', '-L.', '-lother');
  compile('main.cc', '-o', 'main', '-L.', '-Wl,--no-as-needed', '-lother', '-llibrary');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a library that looks up its symbols when it is loaded', () => {
  beforeEach(() => void library('library', '-L.', '-lother', '-Wl,-z,now'), 60_000);

  test('gives the same as before: its own, what others define as well, and what is one in the whole process', async () => {
    expect(output()).toBe('1234 1234 5 1');
    const { bound, left } = await bindSymbols(at('liblibrary.so'), [at('libother.so')]);
    expect(bound).toBeGreaterThanOrEqual(6);
    expect(left).toBeGreaterThanOrEqual(4);
    expect(output()).toBe('1234 1234 5 1');
  });

  test('looks up its own no more: nobody comes in between', async () => {
    expect(output('libinterposer.so')).toBe('7234 7234 5 1');
    await bindSymbols(at('liblibrary.so'), [at('libother.so')]);
    expect(output('libinterposer.so')).toBe('1234 1234 5 1');
  });

  test('keeps looking up what any of the others defines', async () => {
    await bindSymbols(at('liblibrary.so'), [at('libother.so'), at('libinterposer.so')]);
    expect(output('libinterposer.so')).toBe('7234 7234 5 1');
  });

  test('has nothing left to bind the second time', async () => {
    await bindSymbols(at('liblibrary.so'), [at('libother.so')]);
    const before = readFileSync(at('liblibrary.so'));
    expect((await bindSymbols(at('liblibrary.so'), [at('libother.so')])).bound).toBe(0);
    expect(readFileSync(at('liblibrary.so')).equals(before)).toBe(true);
  });
});

test('a library that looks up what it calls when it calls it stays as it is', async () => {
  library('library', '-L.', '-lother', '-Wl,-z,lazy');
  const before = readFileSync(at('liblibrary.so'));
  expect(await bindSymbols(at('liblibrary.so'), [at('libother.so')])).toEqual({ bound: 0, left: 0 });
  expect(readFileSync(at('liblibrary.so')).equals(before)).toBe(true);
}, 60_000);

test('what is no library is refused', async () => {
  await expect(bindSymbols(at('main.cc'), [])).rejects.toThrow('this is not a 64-bit little-endian ELF file');
});
