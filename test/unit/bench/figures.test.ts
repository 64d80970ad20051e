import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { metricSum } from '../../bench/metric-sum.ts';
import { percentile } from '../../bench/percentile.ts';
import { requestName } from '../../bench/request-name.ts';
import { BenchResult, ratioToLimit, readable } from '../../bench/result.ts';

describe('a percentile', () => {
  test('is by nearest rank', () => {
    const samples = [15, 20, 35, 40, 50];
    const ranks = [5, 30, 40, 50, 100].map((percent) => percentile(samples, percent));
    expect(ranks).toEqual([15, 20, 20, 35, 50]);
  });

  test('is a sample that the asked share of samples does not exceed, and the smallest such', () => {
    const samplesAndPercent = fc.tuple(
      fc.array(fc.integer(), { minLength: 1 }),
      fc.integer({ min: 1, max: 100 }),
    );
    fc.assert(
      fc.property(samplesAndPercent, ([samples, percent]) => {
        const value = percentile(samples, percent);
        const share = (limit: number) => samples.filter((sample) => sample <= limit).length / samples.length;
        expect(samples).toContain(value);
        expect(share(value) * 100).toBeGreaterThanOrEqual(percent - 1e-9);
        const smaller = samples.filter((sample) => sample < value);
        if (smaller.length > 0) expect(share(Math.max(...smaller)) * 100).toBeLessThan(percent);
      }),
    );
  });

  test('of nothing is refused', () => {
    expect(() => percentile([], 50)).toThrow('no samples');
  });
});

test.each([
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/b?force=true', 'PATCH deployments'],
  ['PATCH', '/apis/aicity.io/v1alpha1/namespaces/a/modelservices/b/status', 'PATCH modelservices/status'],
  ['GET', '/api/v1/namespaces/a/configmaps/b', 'GET configmaps'],
  ['GET', '/api/v1/pods?limit=500', 'GET pods'],
  ['GET', '/api/v1/pods?watch=true&allowWatchBookmarks=true', 'WATCH pods'],
  ['GET', '/api/v1/namespaces/a', 'GET namespaces'],
  ['GET', '/api/v1/nodes/a', 'GET nodes'],
  ['PUT', '/apis/coordination.k8s.io/v1/namespaces/a/leases/b', 'PUT leases'],
  ['GET', '/apis/coordination.k8s.io/v1', 'GET discovery'],
  ['GET', '/readyz', 'GET /readyz'],
])('%s %s is called %s', (method, path, name) => {
  expect(requestName(method, path)).toBe(name);
});

test('series of a metric are added up, those of other metrics are not', () => {
  const metrics = [
    '# TYPE aicity_reconcile_total counter',
    'aicity_reconcile_total{controller="a",outcome="done"} 3',
    'aicity_reconcile_total{controller="a",outcome="again"} 1.5e1',
    'aicity_reconcile_total_other 100',
    'aicity_leader 1',
  ].join('\n');
  const sums = ['aicity_reconcile_total', 'aicity_leader', 'aicity_nothing'].map((name) =>
    metricSum(metrics, name),
  );
  expect(sums).toEqual([18, 1, 0]);
});

test.each([
  [0, '0'],
  [0.004567, '0.00457'],
  [1.2345, '1.23'],
  [34.56, '34.6'],
  [345.6, '346'],
  [1234567, '1,234,567'],
])('%p reads as %s', (figure, text) => {
  expect(readable(figure)).toBe(text);
});

test('a ratio needs a limit', () => {
  const ratios = [{ ours: 6, limit: 2 }, { ours: 6 }, { ours: 6, limit: 0 }].map(ratioToLimit);
  expect(ratios).toEqual([3, undefined, undefined]);
});

test('a result with a field that no reader knows is refused', () => {
  const machine = {
    processor: 'x',
    cores: 2,
    memoryGibibytes: 4,
    system: 'Linux',
    node: '24.0.0',
    date: '2026-01-31',
    loadBefore: 0,
  };
  const row = { what: 'w', unit: 's', better: 'lower', ours: 1 };
  expect(BenchResult.safeParse({ machine, rows: [row] }).success).toBe(true);
  expect(BenchResult.safeParse({ machine, rows: [{ ...row, theirs: 1 }] }).success).toBe(false);
  expect(BenchResult.safeParse({ machine, rows: [{ ...row, better: 'faster' }] }).success).toBe(false);
});
