/** Parts of sentences that many messages share. */

/** `2 of 3 replicas wait`, `1 of 1 replica waits`. */
export function ofReplicas(count: number, total: number, one: string, many: string): string {
  const all = Math.max(count, total);
  return `${count} of ${all} ${all === 1 ? 'replica' : 'replicas'} ${count === 1 ? one : many}`;
}

/** `1 replica`, `3 replicas`. */
export function replicaCount(count: number): string {
  return count === 1 ? '1 replica' : `${count} replicas`;
}

/** A text of somebody else as a part of our sentence: one line, no full stop, not endless. */
export function quoted(text: string | undefined, otherwise = 'no reason given'): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim().replace(/\.$/, '');
  if (line === '') return otherwise;
  return line.length <= MAX_QUOTE ? line : `${line.slice(0, MAX_QUOTE - 1)}…`;
}

const MAX_QUOTE = 600;

/** The first few of a list, and how many more there are. */
export function listed(items: readonly string[], most = 5): string {
  const rest = items.length - most;
  return rest > 0 ? `${items.slice(0, most).join(', ')} and ${rest} more` : items.join(', ');
}
