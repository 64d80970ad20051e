import { readFileSync } from 'node:fs';
import { docker } from './docker.ts';

/** Label on containers and networks that tells which process they belong to. */
export const ownerLabel = 'io.aicity.test.owner';

/** Owner of what outlives the process that made it. */
export const keptOwner = 'kept';

/** This process, told apart from a later one with the same number by the moment it started. */
export function thisOwner(): string {
  return ownerOf(process.pid)!;
}

/** Removes what belongs to processes that have ended without removing it themselves. */
export async function removeAbandoned(): Promise<void> {
  const label = ['--filter', `label=${ownerLabel}`];
  const format = ['--format', `{{.ID}}\t{{.Label "${ownerLabel}"}}`];
  const containers = await docker(['ps', '--all', ...label, ...format]);
  for (const id of abandonedIn(containers)) await removed(docker(['rm', '--force', '--volumes', id]));
  const networks = await docker(['network', 'ls', ...label, ...format]);
  for (const id of abandonedIn(networks)) await removed(docker(['network', 'rm', id]));
}

/** Waits for a removal; what is gone already, or is being removed by another process, is no error. */
export async function removed(removal: Promise<unknown>): Promise<void> {
  await removal.catch((error: Error) => {
    if (!/No such (container|network)|not found|already in progress/.test(error.message)) throw error;
  });
}

function abandonedIn(table: string): string[] {
  const rows = table.split('\n').map((line) => line.split('\t'));
  return rows.flatMap(([id, owner]) => (id && owner && !isAlive(owner) ? [id] : []));
}

function isAlive(owner: string): boolean {
  return owner === keptOwner || ownerOf(Number(owner.split('@')[0])) === owner;
}

function ownerOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      process.kill(pid, 0);
      return `${pid}`;
    }
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const isZombie = fields[0] === 'Z';
    return isZombie ? undefined : `${pid}@${fields[19]}`; // field 22 of proc_pid_stat(5): start time
  } catch {
    return undefined;
  }
}
