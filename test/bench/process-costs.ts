/** What a process and those that it has started cost, from Linux' /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of USER_HZ, which is the same on all Linux systems in use. */
const ticksPerSecond = 100;

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly cpuSeconds: number;
}

/** Processor time so far, that of children that have ended included, and resident memory. */
export function costsOf(pid: number): { cpuSeconds: number; residentBytes: number } {
  const members = familyEntries(pid);
  return {
    cpuSeconds: members.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    residentBytes: members.reduce((sum, member) => sum + residentBytes(member.pid), 0),
  };
}

/** A process that runs and all that it has started, directly or not. */
export function familyOf(pid: number): number[] {
  return familyEntries(pid).map((member) => member.pid);
}

function familyEntries(pid: number): Entry[] {
  const entries = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? entryOf(Number(name)) : []));
  const family = [pid];
  for (const each of family) {
    for (const { pid: child, parent } of entries) if (parent === each) family.push(child);
  }
  return entries.filter((entry) => family.includes(entry.pid));
}

/** Nothing for a process that has ended meanwhile. */
function entryOf(pid: number): Entry[] {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the program's name, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  if (user === undefined || system === undefined) return [];
  const ticks = user + system + (childrenUser ?? 0) + (childrenSystem ?? 0);
  return [{ pid, parent: Number(fields[1]), cpuSeconds: ticks / ticksPerSecond }];
}

function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
