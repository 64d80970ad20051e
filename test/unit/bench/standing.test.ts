import { expect, test } from '@jest/globals';
import type { Row } from '../../bench/result.ts';
import { standingAmongPeers } from '../../bench/standing.ts';

const row = (what: string, ours: number, peers?: Row['peers'], unit = 'req/s'): Row => ({
  ...{ what, unit, better: 'higher', ours },
  ...(peers ? { peers } : {}),
});

test('each row counts once, beside its own best peer, and what a peer does better is named', () => {
  const rows = [
    row('a', 300, { slow: 10, fast: 100 }),
    row('b', 130, { fast: 100 }),
    row('c', 129, { fast: 100 }),
    row('d', 77, { fast: 100 }),
    row('e', 50, { slow: 99, fast: 100 }),
    row('alone', 1),
    row('time', 1, { fast: 100 }, 'ms'),
  ];
  expect(standingAmongPeers(rows)).toBe(
    'In requests/s beside the best peer of each row, of 5 rows: ahead by more than 30 % in 2, in 1 of these three ' +
      'times and more; no more than 30 % apart in 2; behind by more than 30 % in 1 (e, 0.50 of fast).',
  );
  expect(standingAmongPeers(rows.slice(0, 2))).toMatch(/behind by more than 30 % in 0\.$/);
});

test('without peers there is nothing to say', () => {
  expect(standingAmongPeers([row('alone', 1)])).toBeUndefined();
});
