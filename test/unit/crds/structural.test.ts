import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { structural } from '../../../crds/structural.ts';

describe('a zod schema becomes a structural schema', () => {
  test.each([
    [
      'strict objects prune instead',
      z.strictObject({ a: z.string() }),
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
    ],
    [
      'loose objects keep unknown fields',
      z.looseObject({}),
      { type: 'object', properties: {}, 'x-kubernetes-preserve-unknown-fields': true },
    ],
    [
      'a default is no longer required',
      z.object({ a: z.int32().default(1) }),
      { type: 'object', properties: { a: { type: 'integer', format: 'int32', default: 1 } } },
    ],
    ['integers lose bounds that nobody chose', z.int(), { type: 'integer', format: 'int64' }],
    [
      'chosen bounds stay',
      z.int32().min(0).max(9),
      { type: 'integer', format: 'int32', minimum: 0, maximum: 9 },
    ],
    ['a quantity is int-or-string', z.union([z.int32(), z.string()]), { 'x-kubernetes-int-or-string': true }],
    [
      'records keep their value schema',
      z.record(z.string(), z.string()),
      { type: 'object', additionalProperties: { type: 'string' } },
    ],
    ['literals become an enum', z.literal('a'), { type: 'string', enum: ['a'] }],
    ['unknown string formats are dropped', z.email(), expect.not.objectContaining({ format: 'email' })],
  ])('%s', (_what, schema, expected) => {
    expect(structural(schema as z.ZodType)).toEqual(expected);
  });

  test('a union of objects is refused by its path', () => {
    const schema = z.object({ a: z.union([z.object({ b: z.string() }), z.object({ c: z.string() })]) });
    expect(() => structural(schema)).toThrow('.a: anyOf is not structural');
  });

  test('CEL rules pass through', () => {
    const rule = { rule: 'self > 0', message: 'must be positive' };
    expect(structural(z.int32().meta({ 'x-kubernetes-validations': [rule] }))).toMatchObject({
      'x-kubernetes-validations': [rule],
    });
  });
});
