import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  leavingVersions,
  parseVersionPolicy,
  wantedVersions,
} from '../../../../model-server/serve/version-policy.ts';

test.each([
  ['all', { all: true }],
  ['latest:2', { latest: 2 }],
  ['3', { specific: [3] }],
  ['3,1,3', { specific: [3, 1] }],
  ['latest:0', undefined],
  ['latest', undefined],
  ['1,', undefined],
  ['-1', undefined],
])('%s', (text, policy) => expect(parseVersionPolicy(text)).toEqual(policy));

test.each([
  [{ all: true } as const, [1, 2, 5], [1, 2, 5]],
  [{ latest: 2 }, [1, 2, 5], [2, 5]],
  [{ latest: 9 }, [1, 2, 5], [1, 2, 5]],
  [{ specific: [7, 2] }, [1, 2, 5], [2, 7]],
])('%j of %j: %j', (policy, listed, wanted) => {
  expect(wantedVersions(policy, listed)).toEqual(wanted);
});

const serving = (...versions: number[]) => versions.map((version) => ({ version, isReady: true }));

test('a version stays until its place is taken', () => {
  const loading = { version: 3, isReady: false };
  expect(leavingVersions(new Set([2, 3]), [...serving(1, 2), loading])).toEqual([]);
  expect(leavingVersions(new Set([2, 3]), serving(1, 2, 3))).toEqual([1]);
  // Two new ones at once: each that serves lets one go.
  expect(leavingVersions(new Set([3, 4]), [...serving(1, 2, 4), loading])).toEqual([1]);
  // What never served holds no place.
  expect(leavingVersions(new Set([4]), [...serving(2), loading, { version: 4, isReady: false }])).toEqual([
    3,
  ]);
});

test('never less is served than was, as far as there is any, and nothing unwanted stays once all wanted serve', () => {
  const versions = fc.uniqueArray(fc.record({ version: fc.nat(9), isReady: fc.boolean() }), {
    selector: ({ version }) => version,
  });
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(9), { minLength: 1 }), versions, (wantedList, all) => {
      const wanted = new Set(wantedList);
      const leaving = new Set(leavingVersions(wanted, all));
      const ready = all.filter(({ isReady }) => isReady);
      const stays = ready.filter(({ version }) => !leaving.has(version));
      expect(stays.length).toBeGreaterThanOrEqual(Math.min(ready.length, wanted.size));
      expect([...leaving].filter((version) => wanted.has(version))).toEqual([]);
      const missing = wantedList.filter((version) => !ready.some((each) => each.version === version));
      const unwanted = all.filter(({ version }) => !wanted.has(version) && !leaving.has(version));
      expect(unwanted.length).toBeLessThanOrEqual(missing.length);
    }),
  );
});
