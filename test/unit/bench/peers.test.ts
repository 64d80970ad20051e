import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { failureRows, loneClientRow } from '../../bench/failure-rows.ts';
import type { Failures } from '../../bench/failures.ts';
import { type BenchModel, benchModels } from '../../bench/models.ts';
import { killMarked, MARK, processesMarked } from '../../bench/peers/marked-processes.ts';
import { peers } from '../../bench/peers/peers.ts';
import { BenchResult, Row } from '../../bench/result.ts';
import { areSame, scoresOf } from '../../bench/scores.ts';

const [image, table] = benchModels as [BenchModel, BenchModel];
const numbers = Float32Array.of(0.25, 0.75);
const bytes = Buffer.from(numbers.buffer);

test.each([
  ['TensorFlow Serving', {}, Buffer.from('{"predictions": [[0.25], [0.75]]}')],
  ['Open Inference Protocol', {}, Buffer.from('{"outputs": [{"name": "y", "data": [0.25, 0.75]}]}')],
  ['a binary tensor', { 'inference-header-content-length': '2' }, Buffer.concat([Buffer.from('{}'), bytes])],
  ['bare numbers', { 'content-type': 'application/octet-stream' }, bytes],
  ['a bare list', {}, Buffer.from('[[0.25, 0.75]]')],
])('scores are read from %s', (_, headers: Record<string, string>, body) => {
  expect(scoresOf({ headers, body })).toEqual([0.25, 0.75]);
});

test('an answer without scores is none', () => {
  expect(() => scoresOf({ headers: {}, body: Buffer.from('{"error": "no"}') })).toThrow(
    'no scores in {"error"',
  );
});

test('rounding is no difference; another score, or another number of them, is', () => {
  expect(areSame([0.25, 0.75], [0.250001, 0.75])).toBe(true);
  expect(areSame([0.25, 0.75], [0.26, 0.75])).toBe(false);
  expect(areSame([0.25, 0.75], [0.25])).toBe(false);
});

test('each peer takes both models as JSON, and its folder says what it needs', () => {
  for (const peer of peers) {
    for (const model of [image, table]) {
      const { url, body } = peer.request('JSON', model, 2, 'http://127.0.0.1:1')!;
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:1\/\w/);
      expect(JSON.parse(body.toString())).toBeInstanceOf(Object);
    }
    const folder = join(import.meta.dirname, '../../bench/peers', peer.name);
    expect(readdirSync(folder)).toContain('requirements.txt');
  }
});

test('what goes wrong becomes one row for each failure, with all servers in it', () => {
  const overload = { answeredPerSecond: 9, p99Seconds: 1, refusedPercent: 50, failedPercent: 0 };
  const good: Failures = {
    ...{ wrongShapesScored: 0, answeredLater: 20, goodLostPercent: 0, overload, lostAtEnd: 0, leftBehind: 0 },
  };
  const bad = { ...good, answeredLater: 0, overload: { ...overload, p99Seconds: undefined } };
  const rows = failureRows(
    new Map([
      ['ours', good],
      ['cat', bad],
    ]),
  );
  expect(rows.map((row) => Row.parse(row))).toEqual(rows);
  expect(rows[0]).toMatchObject({ ours: 20, peers: { cat: 0 }, better: 'higher' });
  const [p99] = rows.filter(({ what }) => what.endsWith('p99 of those'));
  expect(p99).toMatchObject({ ours: 1, peers: {} });
  expect(failureRows(new Map([['cat', bad]]))).toEqual([]);
});

test('the row of a lone client is found in the figures that are kept', () => {
  const what = 'one row of 24 numbers, JSON, 1 client, median time';
  const row: Row = { what, unit: 'ms', better: 'lower', ours: 1, peers: { cat: 6 } };
  expect(loneClientRow([{ ...row, what: 'other' }, row])).toEqual([
    { ...row, what: `failure: a lone client waits for company: ${what}` },
  ]);
  expect(BenchResult.shape.rows.safeParse(loneClientRow([row])).success).toBe(true);
});

test('a process that was left behind by its parent is found by its mark, and ended', async () => {
  const mark = `test-${process.pid}-${performance.now()}`;
  // The shell ends at once; what it has started goes on.
  const shell = spawn('sh', ['-c', 'sleep 600 & echo started'], {
    env: { PATH: process.env['PATH'], [MARK]: mark },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const untilThereAre = async (count: number) => {
    while (processesMarked(mark).length !== count) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await once(shell, 'exit');
  // For a moment, while it becomes another program, a process shows no mark.
  await untilThereAre(1);
  killMarked(mark);
  await untilThereAre(0);
  expect(processesMarked(`${mark}-other`)).toEqual([]);
});
