/** Where ours stands among the peers of one run, in a sentence. Pure. */
import type { Row } from './result.ts';

/** On shared cores what differs by less says nothing. */
const SURELY = 1.3;
/** What we want to be. */
const FAR = 3;

interface Standing {
  readonly what: string;
  readonly best: string;
  /** Above 1 where ours is ahead of the best peer. */
  readonly ratio: number;
}

/** Counts the rows in requests/s and names those in which a peer is ahead; undefined when there are no peers. */
export function standingAmongPeers(rows: readonly Row[]): string | undefined {
  const standings = rows.filter(({ unit }) => unit === 'req/s').flatMap(standingOf);
  if (standings.length === 0) return undefined;
  const count = (is: (ratio: number) => boolean) => standings.filter(({ ratio }) => is(ratio)).length;
  const behind = standings.filter(({ ratio }) => ratio <= 1 / SURELY);
  const named = behind.map(({ what, best, ratio }) => `${what}, ${ratio.toFixed(2)} of ${best}`).join('; ');
  return [
    `In requests/s beside the best peer of each row, of ${standings.length} rows:`,
    `ahead by more than 30 % in ${count((ratio) => ratio >= SURELY)}, in ${count((ratio) => ratio >= FAR)} of these three times and more;`,
    `no more than 30 % apart in ${count((ratio) => ratio < SURELY && ratio > 1 / SURELY)};`,
    `behind by more than 30 % in ${behind.length}${behind.length === 0 ? '' : ` (${named})`}.`,
  ].join(' ');
}

function standingOf({ what, ours, peers = {} }: Row): Standing[] {
  const [best] = Object.entries(peers).sort(([, one], [, other]) => other - one);
  return best ? [{ what, best: best[0], ratio: ours / best[1] }] : [];
}
