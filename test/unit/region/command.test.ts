import { expect, test } from '@jest/globals';
import { isInstalled, pipe, run } from '../../region/command.ts';

test('a program gets its input and gives its output without trailing line breaks', async () => {
  expect(await run('cat', [], { input: 'one\ntwo\n\n' })).toBe('one\ntwo');
});

test('a program that fails tells its command, its status and what it wrote last', async () => {
  const failing = run('sh', ['-c', 'echo tried; echo "no such disk" >&2; exit 3']);
  await expect(failing).rejects.toThrow(/`sh -c .*` ended with status 3: tried\nno such disk/);
});

test('a program that is not there is named', async () => {
  await expect(run('no-such-program', ['x'])).rejects.toThrow('`no-such-program x` could not be started');
});

test('a program that takes too long is killed', async () => {
  await expect(run('sleep', ['60'], { timeoutSeconds: 0.1 })).rejects.toThrow('was ended by SIGKILL');
});

test('a pipe carries one output to the other input and fails when either side does', async () => {
  expect((await pipe(['printf', 'a\\nb\\n'], ['wc', '-l'])).trim()).toBe('2');
  await expect(pipe(['sh', '-c', 'echo lost; exit 4'], ['cat'])).rejects.toThrow('status 4');
  await expect(pipe(['yes'], ['sh', '-c', 'echo full >&2; exit 5'])).rejects.toThrow(/status 5: full/);
  // The reader has enough before the writer ends.
  expect(await pipe(['sh', '-c', 'echo a; sleep 0.3; echo b'], ['head', '-n', '1'])).toBe('a\n');
  await expect(pipe(['no-such-program'], ['cat'])).rejects.toThrow('no-such-program');
  await expect(pipe(['yes'], ['no-such-program'])).rejects.toThrow('no-such-program');
});

test('an installed program is told from one that is not', async () => {
  expect(await isInstalled('sh')).toBe(true);
  expect(await isInstalled('no-such-program')).toBe(false);
});
