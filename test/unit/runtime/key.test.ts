import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyOf, keyString, parseKey } from '../../../operator/runtime/key.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.:-]{0,20}[a-z0-9])?$/);
const key = fc.record({
  cluster: fc.oneof(fc.constant(''), name),
  namespace: fc.oneof(fc.constant(''), name),
  name,
});

test('a key survives being written and read', () => {
  fc.assert(fc.property(key, (one) => expect(parseKey(keyString(one))).toEqual(one)));
});

test('different keys are written differently', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(keyString(a) === keyString(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});

test('objects of one cluster leave the cluster out, cluster-scoped ones have no namespace', () => {
  expect(keyString(keyOf({ metadata: { name: 'traffic', namespace: 'city' } }))).toBe('city/traffic');
  expect(keyString(keyOf({ metadata: { name: 'node-1' } }, 'porto'))).toBe('porto//node-1');
});

test.each(['traffic', 'a/b/c/d', 'city/', ''])('"%s" is no key', (text) => {
  expect(() => parseKey(text)).toThrow('expected "namespace/name" or "cluster/namespace/name"');
});
