import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { page, readResult } from '../../bench/performance-doc.ts';
import type { BenchResult } from '../../bench/result.ts';

const chapter = { name: 'walk', title: 'Walking', about: ['One foot before the other.'] };
const result: BenchResult = {
  machine: {
    processor: 'Abacus',
    cores: 2,
    memoryGibibytes: 8,
    system: 'Linux 6 x64',
    node: '24.9.0',
    date: '2026-01-31',
    loadBefore: 0,
  },
  rows: [
    { what: 'home | away', unit: 'km/h', better: 'higher', ours: 5, limit: 40, peers: { cat: 48 } },
    { what: 'steps', unit: 'steps', better: 'lower', ours: 1234.5 },
  ],
};

test('every row stands beside its limit and its peers', () => {
  const lines = page([{ chapter, result }]).split('\n');
  expect(lines.filter((line) => line.startsWith('|'))).toEqual([
    '| what | unit | better | ours | limit | ours ÷ limit | cat |',
    '| --- | --- | --- | ---: | ---: | ---: | ---: |',
    '| home \\| away | km/h | higher | 5 | 40 | 0.125 | 48 |',
    '| steps | steps | lower | 1,235 |  |  |  |',
  ]);
});

test('the command and the machine are told, and whether others worked on it', () => {
  const busy = { ...result, machine: { ...result.machine, loadBefore: 3.25 } };
  const [idlePage, busyPage] = [result, busy].map((result) => page([{ chapter, result }]));
  expect(idlePage).toContain('npm run --silent bench:walk -- --json >test/bench/results/walk.json');
  expect(idlePage).toContain(
    '2 cores (Abacus), 8 GiB, Linux 6 x64, Node 24.9.0. Nothing else ran when it began.',
  );
  expect(busyPage).toContain('a mean of 3.25 threads of other work');
});

test('a file that no benchmark wrote is refused by name', () => {
  const directory = mkdtempSync(join(tmpdir(), 'results-'));
  const file = join(directory, 'walk.json');
  writeFileSync(file, JSON.stringify({ rows: [] }));
  expect(() => readResult(file)).toThrow(/walk\.json is not the output of a benchmark: .*machine/s);
  rmSync(directory, { recursive: true });
});

test('sections have tables and words of their own, and none where nothing was measured for them', () => {
  const sections = [
    { prefix: 'fall: ', title: 'Falling', about: ['It hurts.'] },
    { prefix: 'fly: ', title: 'Flying', about: ['Nobody did.'] },
  ];
  const rows: BenchResult['rows'] = [
    ...result.rows,
    { what: 'fall: stairs', unit: 'steps', better: 'lower', ours: 1, peers: { cat: 0 } },
  ];
  const command = 'bench:walk -- --far';
  const text = page([{ chapter: { ...chapter, command, sections }, result: { ...result, rows } }]);
  expect(text).toContain('npm run --silent bench:walk -- --far --json >test/bench/results/walk.json');
  const [before = '', after = ''] = text.split('### Falling\n\nIt hurts.\n');
  expect(before).toContain('| steps |');
  expect(before).not.toContain('stairs');
  expect(after).toContain('| stairs | steps | lower | 1 |  |  | 0 |');
  expect(text).not.toContain('Flying');
});
