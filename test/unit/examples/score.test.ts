import { describe, expect, test } from '@jest/globals';
import { formatScore, improvementPercent, scoreOf } from '../../../examples/traffic/score.ts';

describe('a score', () => {
  test('is the mean error, and the error as a share of what was counted', () => {
    expect(scoreOf([10, 20, 30], [12, 20, 24])).toEqual({ mae: 8 / 3, wapePercent: 800 / 56, hours: 3 });
  });

  test('is printed with its units', () => {
    expect(formatScore({ mae: 34.16, wapePercent: 20.449, hours: 742 })).toBe(
      'MAE 34.2 users/h, WAPE 20.4 %',
    );
  });

  test('is compared by the error', () => {
    const score = (mae: number) => ({ mae, wapePercent: 0, hours: 1 });
    expect(improvementPercent(score(30), score(60))).toBe(50);
    expect(improvementPercent(score(60), score(30))).toBe(-100);
  });

  test.each([
    ['fewer forecasts than counts', [1], [1, 2]],
    ['nothing', [], []],
    ['a forecast that is no number', [Number.NaN], [1]],
  ])('is not made of %s', (_, forecast, counted) => {
    expect(() => scoreOf(forecast, counted)).toThrow();
  });
});
