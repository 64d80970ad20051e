import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ExpiringMap } from '../../../operator/reports/expiring-map.ts';
import { RateLimit } from '../../../operator/reports/rate-limit.ts';
import { FakeClock } from '../runtime/fake-clock.ts';

describe('ExpiringMap', () => {
  test('an entry ends at its time', () => {
    const clock = new FakeClock();
    const map = new ExpiringMap<number>(clock, 10);
    map.set('a', 1, 5);
    clock.freeze(4.9);
    expect(map.get('a')).toBe(1);
    clock.freeze(0.1);
    expect([map.get('a'), map.size]).toEqual([undefined, 0]);
  });

  test('the oldest entry makes room', () => {
    const map = new ExpiringMap<number>(new FakeClock(), 2);
    map.set('a', 1, 5);
    map.set('b', 2, 5);
    map.set('a', 3, 5);
    map.set('c', 4, 5);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, undefined, 4, 2]);
  });

  test.each([0, -1, Number.NaN])('a life of %d stores nothing and removes what was there', (life) => {
    const map = new ExpiringMap<number>(new FakeClock(), 2);
    map.set('a', 1, 5);
    map.set('a', 2, life);
    expect(map.size).toBe(0);
  });
});

describe('RateLimit', () => {
  test('a burst, then one each time that a token has grown', () => {
    const clock = new FakeClock();
    const limit = new RateLimit({ clock, perSecond: 2, burst: 3 });
    expect([1, 2, 3, 4].map(() => limit.take('pod'))).toEqual([0, 0, 0, 0.5]);
    expect(limit.take('other')).toBe(0);
    clock.freeze(0.5);
    expect([limit.take('pod'), limit.take('pod')]).toEqual([0, 0.5]);
    clock.freeze(3600);
    expect([1, 2, 3, 4].map(() => limit.take('pod') > 0)).toEqual([false, false, false, true]);
  });

  test('never lets more through than the burst and what has grown since', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 3, noNaN: true })), (pauses) => {
        const clock = new FakeClock();
        const limit = new RateLimit({ clock, perSecond: 2, burst: 5 });
        let passed = 0;
        for (const pause of pauses) {
          clock.freeze(pause);
          if (limit.take('pod') === 0) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(5 + 2 * clock.monotonicSeconds() + 1e-6);
      }),
    );
  });
});
