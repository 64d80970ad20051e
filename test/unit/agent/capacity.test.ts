import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CityCapacity } from '../../../crds/city-report.ts';
import { capacityOf } from '../../../operator/plan/agent/capacity.ts';

const gpu = 'nvidia.com/gpu';
const node = (gpus: number, usable = true) => ({ usable, offers: { cpu: 8, memory: 100, [gpu]: gpus } });
const pod = (gpus: number, isOfShare: boolean, cpu = 0) => ({ takes: { cpu, [gpu]: gpus }, isOfShare });

test('shares may use what other workloads leave, on nodes that take pods', () => {
  const nodes = [node(4), node(8), node(16, false)];
  const pods = [pod(2, true), pod(3, false)];
  expect(capacityOf(nodes, pods)).toContainEqual({ resource: gpu, total: 12, forShares: 9, used: 5 });
});

test('processor is rounded so that nobody counts on what is not there', () => {
  const [cpu] = capacityOf([node(0)], [pod(0, false, 1.01), pod(0, true, 0.5)]);
  expect(cpu).toEqual({ resource: 'cpu', total: 8, forShares: 6.96, used: 1.52 });
});

test('a resource that is overcommitted leaves nothing; one that nobody offers is not there', () => {
  expect(capacityOf([node(1)], [pod(3, false)])).toContainEqual({
    resource: gpu,
    total: 1,
    forShares: 0,
    used: 3,
  });
  expect(capacityOf([], [pod(3, false)])).toEqual([]);
});

test('whatever runs, it is never more than there is, and the hub takes it', () => {
  const amounts = fc.dictionary(fc.constantFrom('cpu', 'memory', gpu), fc.integer({ min: 0, max: 1000 }));
  const nodes = fc.array(fc.record({ usable: fc.boolean(), offers: amounts }), { maxLength: 5 });
  const pods = fc.array(fc.record({ takes: amounts, isOfShare: fc.boolean() }), { maxLength: 8 });
  fc.assert(
    fc.property(nodes, pods, (offered, running) => {
      for (const one of capacityOf(offered, running)) {
        CityCapacity.parse(one);
        expect(one.forShares).toBeLessThanOrEqual(one.total);
        const others = running.filter(({ isOfShare }) => !isOfShare);
        const taken = others.reduce((sum, { takes }) => sum + (takes[one.resource] ?? 0), 0);
        expect(one.forShares).toBeLessThanOrEqual(Math.max(0, one.total - taken) + 1e-6);
      }
    }),
  );
});
