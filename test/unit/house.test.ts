import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../generate.ts';

const run = promisify(execFile);

/** What the tool has to say against the sources; empty when it is content. */
async function complaintsOf(tool: string, ...args: string[]): Promise<string> {
  const command = join(ROOT, 'node_modules', '.bin', tool);
  return await run(command, args, { cwd: ROOT, maxBuffer: 1 << 26 }).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
}

describe('the house rules', () => {
  test('types hold', async () => {
    expect(await complaintsOf('tsc')).toBe('');
  }, 300_000);

  test('lint, format and the one-way imports hold', async () => {
    expect(await complaintsOf('biome', 'check', '--error-on-warnings', '.')).toBe('');
  }, 300_000);

  test('no file, export or dependency is there without need', async () => {
    expect(await complaintsOf('knip')).toBe('');
  }, 300_000);
});
