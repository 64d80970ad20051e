import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, fingerprint } from '../../../operator/plan/canonical-json.ts';

test('is JSON that reads as the same data', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) =>
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value))),
    ),
  );
});

test('does not depend on the order of keys, and leaves out what is undefined', () => {
  const a = { b: [1, { d: undefined, c: 'x' }], a: null };
  const b = { a: null, e: undefined, b: [1, { c: 'x' }] };
  expect(canonicalJson(a)).toBe('{"a":null,"b":[1,{"c":"x"}]}');
  expect(fingerprint(a)).toBe(fingerprint(b));
  expect(fingerprint({ ...a, a: 0 })).not.toBe(fingerprint(a));
});
