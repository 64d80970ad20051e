import { describe, expect, test } from '@jest/globals';
import type { Toleration } from '../../../crds/placement.ts';
import { matches, untolerated } from '../../../operator/plan/placement/label-selector.ts';

const labels = { region: 'norte', gpu: 'a100' };

describe('a selector', () => {
  test.each<[string, Parameters<typeof matches>[0], boolean]>([
    ['nothing asked', {}, true],
    ['an equal label', { matchLabels: { region: 'norte' } }, true],
    ['another value', { matchLabels: { region: 'sul' } }, false],
    ['one of two labels is missing', { matchLabels: { region: 'norte', zone: 'a' } }, false],
    ['In', { matchExpressions: [{ key: 'gpu', operator: 'In', values: ['l4', 'a100'] }] }, true],
    ['In, another', { matchExpressions: [{ key: 'gpu', operator: 'In', values: ['l4'] }] }, false],
    ['In, no such label', { matchExpressions: [{ key: 'zone', operator: 'In', values: [''] }] }, false],
    ['NotIn', { matchExpressions: [{ key: 'gpu', operator: 'NotIn', values: ['l4'] }] }, true],
    [
      'NotIn, the very one',
      { matchExpressions: [{ key: 'gpu', operator: 'NotIn', values: ['a100'] }] },
      false,
    ],
    ['NotIn, no such label', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }, true],
    ['Exists', { matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }, true],
    ['Exists, not', { matchExpressions: [{ key: 'zone', operator: 'Exists' }] }, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] }, true],
    ['DoesNotExist, does', { matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' }] }, false],
    [
      'labels and expressions must both match',
      { matchLabels: { region: 'norte' }, matchExpressions: [{ key: 'zone', operator: 'Exists' }] },
      false,
    ],
  ])('%s', (_what, selector, expected) => {
    expect(matches(selector, labels)).toBe(expected);
  });
});

describe('a taint', () => {
  const taint = { key: 'maintenance', value: 'roof', effect: 'NoSchedule' } as const;
  test.each<[string, Toleration[], boolean]>([
    ['nothing tolerates it', [], true],
    ['the same key and value', [{ key: 'maintenance', operator: 'Equal', value: 'roof' }], false],
    ['another value', [{ key: 'maintenance', operator: 'Equal', value: 'floor' }], true],
    ['any value', [{ key: 'maintenance', operator: 'Exists' }], false],
    ['another key', [{ key: 'dedicated', operator: 'Exists' }], true],
    ['everything', [{ operator: 'Exists' }], false],
    ['another effect', [{ operator: 'Exists', effect: 'NoExecute' }], true],
  ])('%s', (_what, tolerations, objects) => {
    expect(untolerated([taint], tolerations, 'NoSchedule') === taint).toBe(objects);
  });

  test('a taint of another effect does not object', () => {
    expect(untolerated([taint], [], 'NoExecute')).toBeUndefined();
  });
});
