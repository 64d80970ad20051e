import { expect, test } from '@jest/globals';
import { RunPace } from '../../../../model-server/serve/run-pace.ts';

test('nothing is expected of what has never been run', () => {
  expect(new RunPace().expected('a', 100, 100)).toBe(0);
});

test('rows are expected to take what rows of their kind took in runs of such a size', () => {
  const pace = new RunPace();
  pace.took('a', 1, 10);
  pace.took('a', 20, 20);
  pace.took('b', 1, 700);
  expect(pace.expected('a', 8, 1)).toBe(80);
  expect(pace.expected('a', 8, 31)).toBe(8);
  expect(pace.expected('a', 8, 32)).toBe(8);
  expect(pace.expected('b', 2, 2)).toBe(1400);
});

test('runs of one row say nothing of large ones', () => {
  const pace = new RunPace();
  pace.took('a', 1, 100);
  expect(pace.expected('a', 512, 512)).toBe(0);
});

test('a slow run counts less with every run after it', () => {
  const pace = new RunPace();
  pace.took('a', 32, 3200);
  const expected = Array.from({ length: 50 }, () => {
    pace.took('a', 32, 32);
    return pace.expected('a', 1, 32);
  });
  expect(expected.toSorted((one, other) => other - one)).toEqual(expected);
  expect(expected.at(-1)).toBeCloseTo(1, 0);
});

test('of ever new kinds the ones that were run last are remembered', () => {
  const pace = new RunPace();
  for (let kind = 0; kind < 1000; kind++) {
    pace.took('old friend', 1, 5);
    pace.took(`kind ${kind}`, 1, 5);
  }
  expect(pace.expected('kind 1', 1, 1)).toBe(0);
  expect(pace.expected('old friend', 1, 1)).toBeCloseTo(5);
  expect(pace.expected('kind 999', 1, 1)).toBe(5);
});
