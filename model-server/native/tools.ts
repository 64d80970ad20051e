/** Runs the few programs that a build needs, with sentences instead of exit codes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Progress } from './cache.ts';

/** What each program is for and where to get it, told when it is missing. */
const purposes: Readonly<Record<string, string>> = {
  'g++': 'compiles the TensorFlow add-ons; on Debian: apt-get install g++',
  python3: 'fetches TensorFlow with its package manager; on Debian: apt-get install python3 python3-pip',
  strip: 'shrinks the TensorFlow library; on Debian: apt-get install binutils',
};

/**
 * Runs a program to its end.
 *
 * @param waiting told every 15 seconds with the seconds gone, for programs that say nothing themselves.
 * @returns what it wrote to standard output.
 * @throws Error with a sentence when it is missing or fails, its last words included.
 */
export async function run(
  program: string,
  args: readonly string[],
  waiting?: { readonly doing: string; readonly progress: Progress },
): Promise<string> {
  const started = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  const ticker = setInterval(() => {
    waiting?.progress(`${waiting.doing}: ${Math.round((performance.now() - started) / 1000)} s so far`);
  }, 15_000);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code === 0) return output;
    throw new Error(`${program} ${args[0] ?? ''} ended with ${signal ?? `status ${code}`}: ${errors.trim()}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`${program} was not found. It ${purposes[program] ?? 'is needed here'}`);
  } finally {
    clearInterval(ticker);
  }
}

/** Checks once, before anything long starts, that all programs are there. */
export async function requireTools(): Promise<void> {
  for (const program of ['python3', 'g++', 'strip']) await run(program, ['--version']);
  await run('python3', ['-m', 'pip', '--version']).catch(() => {
    throw new Error(
      'python3 has no pip. It fetches TensorFlow; on Debian: apt-get install python3-pip, elsewhere: python3 -m ensurepip',
    );
  });
}
