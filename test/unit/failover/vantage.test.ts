import { describe, expect, test } from '@jest/globals';
import { type Observer, vantageOn } from '../../../operator/plan/failover/vantage.ts';

const NOW = 100_000;
const FRESH_MS = 10_000;
const observer = (
  name: string,
  sees?: boolean,
  more: { ageMs?: number; isLate?: boolean } = {},
): Observer => ({
  name,
  isLate: more.isLate ?? false,
  views: new Map(sees === undefined ? [] : [['porto', { sees, atMs: NOW - (more.ageMs ?? 0) }]]),
});

describe('what other cities see of one that is silent', () => {
  test.each<[string, Observer[], object]>([
    ['one does not see it', [observer('braga', false)], { sees: 'Nothing', by: 'braga' }],
    ['one sees it', [observer('braga', true)], { sees: 'City', by: 'braga' }],
    ['one sees it, another does not', [observer('a', false), observer('b', true)], { sees: 'City', by: 'b' }],
    ['nobody has looked', [observer('braga')], { sees: 'Unknown', isTrusted: true }],
    ['an old look', [observer('braga', true, { ageMs: FRESH_MS + 1 })], { sees: 'Unknown', isTrusted: true }],
    [
      'a look just fresh enough',
      [observer('braga', true, { ageMs: FRESH_MS })],
      { sees: 'City', by: 'braga' },
    ],
    [
      'a look of a city that is silent itself',
      [observer('braga', false, { isLate: true })],
      { sees: 'Unknown', isTrusted: false },
    ],
    [
      'half of the others are heard',
      [observer('a'), observer('b', undefined, { isLate: true })],
      { sees: 'Unknown', isTrusted: true },
    ],
    [
      'fewer than half are heard',
      [observer('a'), observer('b', undefined, { isLate: true }), observer('c', undefined, { isLate: true })],
      { sees: 'Unknown', isTrusted: false },
    ],
    ['there is no other city', [], { sees: 'Unknown', isTrusted: true }],
    ['its own view of itself is none', [observer('porto', true)], { sees: 'Unknown', isTrusted: true }],
  ])('%s', (_what, observers, vantage) => {
    expect(vantageOn('porto', observers, NOW, FRESH_MS)).toEqual(vantage);
  });
});
