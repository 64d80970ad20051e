import { expect, test } from '@jest/globals';
import { bundleModelServer } from '../../region/bundle.ts';

test('a bundle holds the program, its worker threads and the licences, in the order of their names', async () => {
  const names = [...(await bundleModelServer()).keys()];
  expect(names).toEqual([
    'LICENSES.txt',
    'digest-thread.mjs',
    'json-thread.mjs',
    'main.mjs',
    'tfjs-thread.mjs',
  ]);
});
