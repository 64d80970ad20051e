import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffCeilingSeconds, backoffSeconds } from '../../../operator/runtime/backoff.ts';

const policy = { baseSeconds: 0.8, maxSeconds: 30 };

test('the ceiling doubles from the base to the maximum', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((failures) => backoffCeilingSeconds(failures, policy))).toEqual([
    0, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30,
  ]);
});

test('a wait lies between nothing and the ceiling, even after very many failures', () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(1e6), fraction, (failures, random) => {
      const seconds = backoffSeconds(failures, policy, () => random);
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThanOrEqual(backoffCeilingSeconds(failures, policy));
    }),
  );
});
