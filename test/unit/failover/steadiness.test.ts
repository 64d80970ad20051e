import { describe, expect, test } from '@jest/globals';
import {
  ALWAYS_THERE,
  notice,
  recentLosses,
  type Steadiness,
} from '../../../operator/plan/failover/steadiness.ts';

const MINUTE = 60_000;
const damping = { settleMs: MINUTE, longestSettleMs: 30 * MINUTE, forgetMs: 60 * MINUTE };
const NOW = 1_000 * MINUTE;

/** Goes and comes so many times, a minute each. */
function flapped(times: number): { steadiness: Steadiness; nowMs: number } {
  let steadiness = ALWAYS_THERE;
  let nowMs = NOW;
  for (let i = 0; i < times; i++) {
    steadiness = notice(steadiness, true, nowMs + MINUTE, damping);
    nowMs += 2 * MINUTE;
    steadiness = notice(steadiness, false, nowMs, damping);
  }
  return { steadiness, nowMs };
}

describe('damping', () => {
  test('a city that is there is left alone', () => {
    expect(notice(ALWAYS_THERE, false, NOW, damping)).toBe(ALWAYS_THERE);
  });

  test('a city that is lost is counted once', () => {
    const lost = notice(ALWAYS_THERE, true, NOW, damping);
    expect(lost).toEqual({ isAbsent: true, isSettling: false, losses: 1, changedAtMs: NOW });
    expect(notice(lost, true, NOW + MINUTE, damping)).toBe(lost);
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 8],
    [9, 30],
  ])('after %i losses it settles for %i minutes', (times, minutes) => {
    const { steadiness, nowMs } = flapped(times);
    expect(steadiness.isSettling).toBe(true);
    expect(notice(steadiness, false, nowMs + minutes * MINUTE - 1, damping)).toBe(steadiness);
    expect(notice(steadiness, false, nowMs + minutes * MINUTE, damping).isSettling).toBe(false);
  });

  test('quiet hours halve the count, absence does not', () => {
    const { steadiness, nowMs } = flapped(4);
    const hours = (count: number) => recentLosses(steadiness, nowMs + count * 60 * MINUTE, damping);
    expect([0, 1, 2, 3].map(hours)).toEqual([4, 2, 1, 0]);
    const absent = notice(steadiness, true, nowMs, damping);
    expect(recentLosses(absent, nowMs + 600 * MINUTE, damping)).toBe(5);
  });
});
