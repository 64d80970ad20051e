/** The add-on that begins to read TensorFlow's library before anything else does. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, jest, test } from '@jest/globals';
import { loadAddon } from '../../../../model-server/engine/native-package.ts';

// Reading the library takes as long as the machine is busy.
jest.setTimeout(60_000);

const addon = loadAddon<{ preload(...args: unknown[]): void }>('aicity_preload');

test('a path that is none is refused, a file that is none is left to others', () => {
  expect(() => addon.preload()).toThrow('a path was expected');
  expect(() => addon.preload(1)).toThrow('a path was expected');
  expect(addon.preload('/nowhere/libtensorflow_cc.so.2')).toBeUndefined();
});

test('the library gets into the process, and an early end waits for it in good order', () => {
  const preload = fileURLToPath(new URL('../../../../model-server/engine/preload.ts', import.meta.url));
  const wait = `
    import ${JSON.stringify(preload)};
    import { readFileSync } from 'node:fs';
    while (!readFileSync('/proc/self/maps', 'utf8').includes('libtensorflow_cc')) await new Promise(setImmediate);
    process.exit(7);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', wait], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
});

test('the server imports it before all others', () => {
  const main = readFileSync(new URL('../../../../model-server/main.ts', import.meta.url), 'utf8');
  expect(/^import .*$/m.exec(main)?.[0]).toBe("import './engine/preload.ts';");
});
