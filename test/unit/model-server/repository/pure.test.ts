import { posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { listed, versionsAmong } from '../../../../model-server/repository/model-layout.ts';
import { safeRelativePath } from '../../../../model-server/repository/safe-path.ts';
import { shardCount } from '../../../../model-server/repository/saved-model-shards.ts';

describe('safeRelativePath', () => {
  test('whatever it lets through stays below the directory', () => {
    const segment = fc.oneof(fc.constantFrom('..', '.', '', 'a', '...', '..a'), fc.string());
    fc.assert(
      fc.property(fc.array(segment), (segments) => {
        const safe = safeRelativePath(segments.join('/'));
        if (safe === undefined) return;
        expect(posix.join('/root', safe).startsWith('/root/')).toBe(true);
        expect(safeRelativePath(safe)).toBe(safe);
      }),
    );
  });

  test.each([
    ['a/b.bin', 'a/b.bin'],
    ['./a//b/', 'a/b'],
    ['..', undefined],
    ['a/../b', undefined],
    ['', undefined],
    ['a\nb', undefined],
  ])('%j', (path, safe) => expect(safeRelativePath(path)).toBe(safe));
});

test('version directories are integers, lowest first', () => {
  expect(versionsAmong(['10', '9', '007', 'v3', '1.5', '-1', '', '99999999999999999999'])).toEqual([
    { version: 7, directory: '007' },
    { version: 9, directory: '9' },
    { version: 10, directory: '10' },
  ]);
});

test('a long listing is cut', () => {
  expect(listed(Array.from({ length: 20 }, (_, i) => `file${i}`))).toMatch(/and 12 more$/);
});

describe('shardCount', () => {
  test.each([
    ['one shard', [0, 0, 8, 0x08, 1, 0x1a, 2, 8, 1, 0, 0], 1],
    ['300 shards', [0, 0, 3, 0x08, 0xac, 0x02], 300],
    ['version before the count', [0, 0, 6, 0x1a, 2, 8, 1, 0x08, 5], 5],
    ['no count', [0, 0, 2, 0x1a, 0], 0],
    ['another first key', [0, 3, 2, 0x08, 1], undefined],
    ['cut', [0, 0, 9, 0x08], undefined],
    ['nothing', [], undefined],
  ])('%s', (_what, bytes, count) => expect(shardCount(Uint8Array.from(bytes))).toBe(count));

  test('any bytes give a number or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const count = shardCount(Uint8Array.from([0, 0, ...bytes]));
        expect(count === undefined || count >= 0).toBe(true);
      }),
    );
  });
});
