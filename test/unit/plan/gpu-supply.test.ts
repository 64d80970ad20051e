import { describe, expect, test } from '@jest/globals';
import {
  type GpuDemand,
  type GpuSupply,
  gpuSituation,
  type Taint,
} from '../../../operator/plan/gpu-supply.ts';
import type { Toleration } from '../../../operator/plan/pod-placement.ts';
import { isSameQuantity, quantityValue } from '../../../operator/plan/quantity.ts';
import { claim, gpuNode } from './builders.ts';

const demand = (more: Partial<GpuDemand> = {}): GpuDemand => ({
  resource: 'nvidia.com/gpu',
  count: 1,
  nodeSelector: {},
  tolerations: [],
  ...more,
});
const supply = (...claims: GpuSupply['claims']): GpuSupply => ({
  nodes: [gpuNode('a', 4), gpuNode('b', 2)],
  claims,
});

describe('what is free', () => {
  test.each<[string, GpuSupply, GpuDemand, object]>([
    ['nothing is used', supply(), demand(), { total: 6, free: 6, fits: 6 }],
    ['some are used', supply(claim('x', 'a', 3)), demand(), { free: 3, fits: 3 }],
    ['free ones lie apart', supply(claim('x', 'a', 3)), demand({ count: 2 }), { free: 3, fits: 1 }],
    ['others wait', supply(claim('x', undefined, 5)), demand(), { free: 6, fits: 1 }],
    ['more wait than are free', supply(claim('x', undefined, 50)), demand(), { fits: 0 }],
    ['another resource', supply(), demand({ resource: 'amd.com/gpu' }), { nodesAnywhere: 0, fits: 0 }],
    [
      'a node that is not ready',
      { nodes: [gpuNode('a', 4, { usable: false }), gpuNode('b', 2)], claims: [] },
      demand(),
      { nodes: 1, nodesAnywhere: 2, total: 2 },
    ],
    [
      'other labels',
      { nodes: [gpuNode('a', 4, { labels: { zone: 'x' } })], claims: [] },
      demand({ nodeSelector: { zone: 'y' } }),
      { nodes: 0 },
    ],
    ['more claimed than there is', supply(claim('x', 'b', 9)), demand(), { free: 4 }],
    ['claims on nodes that are not for us', supply(claim('x', 'elsewhere', 4)), demand(), { free: 6 }],
  ])('%s', (_what, from, by, situation) => {
    expect(gpuSituation(from, by)).toMatchObject(situation);
  });

  test('users are named by how much they hold', () => {
    const from = supply(claim('x', 'a'), claim('y', 'a', 2), claim('x', 'b', 2), claim('y', 'b', 0, 'other'));
    expect(gpuSituation(from, demand()).users).toEqual([
      { namespace: 'city', user: 'x', devices: 3 },
      { namespace: 'city', user: 'y', devices: 2 },
    ]);
  });
});

test.each<[string, Taint, Toleration, boolean]>([
  ['any', { key: 'k', value: 'v', effect: 'NoSchedule' }, { operator: 'Exists' }, true],
  ['the key', { key: 'k', value: 'v', effect: 'NoSchedule' }, { key: 'k', operator: 'Exists' }, true],
  ['the value', { key: 'k', value: 'v', effect: 'NoSchedule' }, { key: 'k', value: 'v' }, true],
  ['another value', { key: 'k', value: 'v', effect: 'NoSchedule' }, { key: 'k', value: 'w' }, false],
  ['another key', { key: 'k', effect: 'NoExecute' }, { key: 'l', operator: 'Exists' }, false],
  [
    'another effect',
    { key: 'k', effect: 'NoExecute' },
    { key: 'k', operator: 'Exists', effect: 'NoSchedule' },
    false,
  ],
  ['a mere preference', { key: 'k', effect: 'PreferNoSchedule' }, { key: 'l', operator: 'Exists' }, true],
])('a taint and a toleration of %s', (_what, taint, toleration, isTolerated) => {
  const from = { nodes: [gpuNode('a', 1, { taints: [taint] })], claims: [] };
  expect(gpuSituation(from, demand({ tolerations: [toleration] })).nodes).toBe(isTolerated ? 1 : 0);
});

describe('quantities', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    [2, 2],
    ['1500m', 1.5],
    ['0.5', 0.5],
    ['1Ki', 1024],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2M', 2e6],
    ['1e3', 1000],
    ['5E', 5e18],
    ['-1', -1],
  ])('%s', (text, value) => {
    expect(quantityValue(text)).toBe(value);
  });

  test.each(['', 'x', '1 Gi', '1gi', '--1', '1.2.3'])('"%s" is none', (text) => {
    expect(quantityValue(text)).toBeNaN();
    expect(isSameQuantity(text, text)).toBe(false);
  });

  test('one amount has many spellings', () => {
    expect(isSameQuantity('1000m', 1)).toBe(true);
    expect(isSameQuantity('1Gi', '1024Mi')).toBe(true);
    expect(isSameQuantity('0.1', '100m')).toBe(true);
    expect(isSameQuantity('1G', '1Gi')).toBe(false);
  });
});
