import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  asksForTurn,
  isCounted,
  type Sight,
  type Standing,
  step,
} from '../../../operator/plan/failover/standing.ts';

const NOW = 1_000_000;
const S = 1_000;
const sight = (more: Partial<Sight> = {}): Sight => ({
  nowMs: NOW,
  silentMs: 0,
  reportedAtMs: NOW,
  lateAfterMs: 15 * S,
  confirmMs: 6 * S,
  graceMs: 30 * S,
  vantage: { sees: 'Nothing', by: 'braga' },
  assigned: 3,
  isReplaced: false,
  isFenced: false,
  mayMove: true,
  ...more,
});
const silent = (seconds: number, more: Partial<Sight> = {}) =>
  sight({ silentMs: seconds * S, reportedAtMs: NOW - seconds * S, ...more });

const since = NOW - 20 * S;
const suspect: Standing = { phase: 'Suspect', sinceMs: since };
const confirming: Standing = { phase: 'Confirming', sinceMs: since };
const moving: Standing = { phase: 'Moving', sinceMs: since, replicas: 3 };
const movedOn: Standing = { phase: 'Moved', sinceMs: since };
const returning: Standing = { phase: 'Returning', sinceMs: since };

describe('a city that is heard', () => {
  test.each<[string, Standing, Sight, object]>([
    ['serves on', { phase: 'Serving' }, sight(), { phase: 'Serving' }],
    ['is no longer suspect', suspect, sight(), { phase: 'Serving' }],
    ['is no longer asked about', confirming, sight(), { phase: 'Serving' }],
    ['returns before it was replaced', moving, sight(), { phase: 'Returning', sinceMs: NOW }],
    ['returns after it was replaced', movedOn, sight(), { phase: 'Returning', sinceMs: NOW }],
    ['stays fenced until it has obeyed', returning, sight(), returning],
    ['serves again once it has obeyed', returning, sight({ isFenced: true }), { phase: 'Serving' }],
  ])('%s', (_what, before, seen, after) => {
    expect(step(before, seen)).toEqual(after);
  });
});

describe('a city that is silent', () => {
  test.each<[string, Standing, Sight, object]>([
    ['is not late yet', { phase: 'Serving' }, silent(14.9), { phase: 'Serving' }],
    ['becomes suspect', { phase: 'Serving' }, silent(15), { phase: 'Suspect', sinceMs: NOW }],
    ['stays suspect within the grace', suspect, silent(29.9), suspect],
    [
      'is asked about after the grace',
      suspect,
      silent(30, { vantage: { sees: 'Unknown', isTrusted: true } }),
      { phase: 'Confirming', sinceMs: NOW, hold: { because: 'NoSecondView' } },
    ],
    [
      'is written off with the grace when another city does not see it',
      suspect,
      silent(30),
      { phase: 'Moving', sinceMs: NOW, replicas: 3 },
    ],
    [
      'is written off as soon as another city does not see it',
      confirming,
      silent(31),
      { phase: 'Moving', sinceMs: NOW, replicas: 3 },
    ],
    [
      'keeps its replicas when another city sees it, however long',
      confirming,
      silent(9_999, { vantage: { sees: 'City', by: 'faro' } }),
      { phase: 'Confirming', sinceMs: since, hold: { because: 'SeenByOther', by: 'faro' } },
    ],
    [
      'gets more time when nobody has looked',
      confirming,
      silent(35.9, { vantage: { sees: 'Unknown', isTrusted: true } }),
      { phase: 'Confirming', sinceMs: since, hold: { because: 'NoSecondView' } },
    ],
    [
      'is written off without a second view after that',
      confirming,
      silent(36, { vantage: { sees: 'Unknown', isTrusted: true } }),
      { phase: 'Moving', sinceMs: NOW, replicas: 3 },
    ],
    [
      'is never written off by a hub that hears nearly nobody',
      confirming,
      silent(9_999, { vantage: { sees: 'Unknown', isTrusted: false } }),
      { phase: 'Confirming', sinceMs: since, hold: { because: 'NoSecondView' } },
    ],
    [
      'gets the rest of a grace that was lengthened',
      confirming,
      silent(40, { graceMs: 60 * S }),
      { phase: 'Suspect', sinceMs: since },
    ],
    [
      'waits for its turn',
      confirming,
      silent(40, { mayMove: false }),
      { phase: 'Confirming', sinceMs: since, hold: { because: 'Turn' } },
    ],
    ['is being replaced', moving, silent(40), moving],
    ['is replaced', moving, silent(40, { isReplaced: true }), { phase: 'Moved', sinceMs: NOW }],
    ['stays replaced', movedOn, silent(9_999), movedOn],
    ['goes again while it returns', returning, silent(15), { phase: 'Suspect', sinceMs: NOW }],
  ])('%s', (_what, before, seen, after) => {
    expect(step(before, seen)).toEqual(after);
  });

  test('what it said before it was written off does not bring it back', () => {
    expect(step(moving, sight({ reportedAtMs: since }))).toBe(moving);
    expect(step(moving, sight({ reportedAtMs: undefined }))).toBe(moving);
  });
});

test('only a city that lacks nothing but its turn asks for it', () => {
  expect(asksForTurn(confirming, silent(40))).toBe(true);
  expect(asksForTurn(suspect, silent(40))).toBe(true);
  expect(asksForTurn(suspect, silent(29))).toBe(false);
  expect(asksForTurn(confirming, sight())).toBe(false);
  expect(asksForTurn(confirming, silent(40, { vantage: { sees: 'City', by: 'faro' } }))).toBe(false);
});

const anyStanding = fc.constantFrom<Standing>(
  { phase: 'Serving' },
  suspect,
  confirming,
  moving,
  movedOn,
  returning,
);
const anySight = fc
  .record({
    silentMs: fc.integer({ min: 0, max: 100 * S }),
    isReplaced: fc.boolean(),
    isFenced: fc.boolean(),
    mayMove: fc.boolean(),
    vantage: fc.constantFrom<Sight['vantage']>(
      { sees: 'City', by: 'faro' },
      { sees: 'Nothing', by: 'faro' },
      { sees: 'Unknown', isTrusted: true },
      { sees: 'Unknown', isTrusted: false },
    ),
  })
  .map((drawn) => sight({ ...drawn, reportedAtMs: NOW - drawn.silentMs }));

describe('always', () => {
  test('a city is written off only when it was late before, after the grace, unseen and in its turn', () => {
    fc.assert(
      fc.property(anyStanding, anySight, (before, seen) => {
        const after = step(before, seen);
        if (!isCounted(before) || isCounted(after)) return;
        expect(['Suspect', 'Confirming']).toContain(before.phase);
        expect(seen.silentMs).toBeGreaterThanOrEqual(seen.graceMs);
        expect(seen.vantage.sees).not.toBe('City');
        expect(seen.mayMove).toBe(true);
      }),
    );
  });

  test('what was written off counts again only by a report since', () => {
    fc.assert(
      fc.property(anyStanding, anySight, (before, seen) => {
        const after = step(before, seen);
        if (isCounted(before) || !isCounted(after)) return;
        expect(seen.reportedAtMs).toBeGreaterThan(since);
        expect(after.phase).toBe('Returning');
      }),
    );
  });

  test('nothing changes without a cause, and then it is the same object', () => {
    fc.assert(
      fc.property(anyStanding, anySight, (before, seen) => {
        const after = step(before, seen);
        if (after !== before) expect(after).not.toEqual(before);
      }),
    );
  });
});
