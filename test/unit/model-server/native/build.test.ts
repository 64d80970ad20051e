import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tensorflowVersion, wheelsFor } from '../../../../model-server/native/wheels.ts';

const script = fileURLToPath(new URL('../../../../model-server/native/build.ts', import.meta.url));
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'native-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** Runs the script with nothing on its PATH but these programs, and an empty cache. */
async function buildWith(...programs: string[]): Promise<string> {
  const bin = await mkdtemp(join(directory, 'bin-'));
  for (const program of programs) await symlink('/bin/true', join(bin, program));
  const env = { PATH: bin, AICITY_CACHE: join(directory, 'cache') };
  const { stderr, code } = await promisify(execFile)(process.execPath, [script], { env }).then(
    () => ({ stderr: '', code: 0 }),
    (error: { stderr: string; code: number }) => error,
  );
  expect(code).toBe(1);
  // Nothing half-done stays behind, no lock either.
  expect(await readdir(env.AICITY_CACHE)).toEqual([]);
  return stderr;
}

describe('a program that is missing is named, with its purpose and where to get it', () => {
  test('python3', async () => {
    expect(await buildWith('g++', 'strip')).toBe(
      '[tensorflow] python3 was not found. It fetches TensorFlow with its package manager; on Debian: apt-get install python3 python3-pip\n',
    );
  });
  test('g++', async () => {
    expect(await buildWith('python3', 'strip')).toContain(
      'g++ was not found. It compiles the TensorFlow add-ons',
    );
  });
  test('strip', async () => {
    expect(await buildWith('python3', 'g++')).toContain('strip was not found');
  });
});

describe('wheels', () => {
  test('are pinned by version and hash for every target that there is', () => {
    const targets = [
      { arch: 'x64', gpu: false },
      { arch: 'x64', gpu: true },
      { arch: 'arm64', gpu: false },
    ];
    for (const target of targets) {
      const wheels = wheelsFor(target);
      expect(wheels[0]?.requirement).toMatch(new RegExp(`^tensorflow(-cpu)?==${tensorflowVersion}$`));
      for (const { requirement, sha256 } of wheels) {
        expect(requirement).toMatch(/^[a-z0-9-]+==[0-9.]+$/);
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      }
      expect(new Set(wheels.map(({ sha256 }) => sha256)).size).toBe(wheels.length);
    }
  });
  test('a target without one is told what there is', () => {
    expect(() => wheelsFor({ arch: 'arm64', gpu: true })).toThrow(
      `no TensorFlow ${tensorflowVersion} library is published for arm64 with CUDA; x64 (CPU or CUDA) and arm64 (CPU)`,
    );
  });
});
