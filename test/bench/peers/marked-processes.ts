/** Processes by a mark in their environment: unlike parents, it stays when a process is left behind. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of an environment, and unlikely to be anybody else's. */
export const MARK = 'AICITY_BENCH_PEER';

/** All processes that were started with this mark, or by one that was, and still run. */
export function processesMarked(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isMarked(name, mark) && isAlive(name))
    .map(Number);
}

/** Ends them all at once, whatever they do. */
export function killMarked(mark: string): void {
  for (const pid of processesMarked(mark)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

function isMarked(pid: string, mark: string): boolean {
  return read(`/proc/${pid}/environ`).split('\0').includes(`${MARK}=${mark}`);
}

/** A zombie has no memory and only waits for its parent to look. */
function isAlive(pid: string): boolean {
  return !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
