import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rhythmFor } from '../../../operator/plan/failover/rhythm.ts';
import { type Pace, paced } from '../../../operator/plan/hub/pace.ts';

const [slow, fast, faster] = [rhythmFor(90_000), rhythmFor(30_000), rhythmFor(15_000)];
const at = (rhythm: typeof slow): Pace => ({ told: rhythm, expected: rhythm });

test('nothing changes while nothing is asked for', () => {
  const pace = at(slow);
  expect(paced(pace, slow, 5)).toBe(pace);
});

test('a slower rhythm holds at once', () => {
  expect(paced(at(fast), slow, 5)).toEqual(at(slow));
});

test('a faster one is told at once, and expected when every city has had its time to learn of it', () => {
  const told = paced(at(slow), fast, 1_000);
  expect(told).toEqual({ told: fast, expected: slow, fasterSinceMs: 1_000 });
  expect(paced(told, fast, 1_000 + slow.lateAfterMs - 1)).toBe(told);
  expect(paced(told, fast, 1_000 + slow.lateAfterMs)).toEqual(at(fast));
});

test('one that is faster still begins anew; one that is taken back is over', () => {
  const told = paced(at(slow), fast, 1_000);
  expect(paced(told, faster, 2_000)).toEqual({ told: faster, expected: slow, fasterSinceMs: 2_000 });
  expect(paced(told, slow, 2_000)).toEqual(at(slow));
});

test('nobody is ever expected to be faster than was told for as long as it may take to learn of it', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom(slow, fast, faster), fc.integer({ min: 1, max: 60_000 })));
  fc.assert(
    fc.property(steps, (asked) => {
      let [pace, nowMs] = [at(slow), 0];
      for (const [wanted, ms] of asked) {
        nowMs += ms;
        const before = pace;
        pace = paced(before, wanted, nowMs);
        expect(pace.told).toBe(wanted);
        expect(pace.expected.heartbeatMs).toBeGreaterThanOrEqual(wanted.heartbeatMs);
        if (pace.expected.heartbeatMs < before.expected.heartbeatMs) {
          expect(before.told).toBe(wanted);
          expect(nowMs - before.fasterSinceMs!).toBeGreaterThanOrEqual(before.expected.lateAfterMs);
        }
      }
    }),
  );
});
