import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Deployment } from '../../../operator/plan/cluster-objects.ts';
import { decideRollout, type RolloutInput } from '../../../operator/plan/rollout.ts';
import {
  claim,
  gpuNode,
  NOW,
  noGpus,
  onCpu,
  podOf,
  secondsAgo,
  serviceWith,
  waitingPod,
} from './builders.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const service = serviceWith();
const deployment = (template: string, maxSurge: number, more: object = {}): Deployment => ({
  kind: 'Deployment',
  metadata: { name: 'traffic' },
  spec: {
    strategy: { rollingUpdate: { maxSurge } },
    template: { metadata: { annotations: { 'aicity.io/template-revision': template } } },
    ...more,
  },
});
/** Of the wanted template, with what the cluster counts. */
const counted = (spec: object, status: object): Deployment => ({
  ...deployment('new', 1, spec),
  metadata: { name: 'traffic', generation: 2 },
  status: { observedGeneration: 2, ...status },
});
const reload = serviceWith({ rollout: { strategy: 'Reload' } });
const oldPod = (name = 'a') => podOf(service, { name, templateRevision: 'old' });
const extra = (since: string) => waitingPod(service, { name: 'extra', templateRevision: 'new', since });
const full = { nodes: [gpuNode('n1', 3)], claims: [claim('traffic', 'n1', 3)] };
const roomy = { nodes: [gpuNode('n1', 8)], claims: [claim('traffic', 'n1', 3)] };

const decide = (more: Partial<RolloutInput>) =>
  decideRollout({
    service,
    deployment: deployment('old', 1),
    pods: [oldPod()],
    gpus: noGpus,
    now: NOW,
    templateRevision: 'new',
    replicas: 3,
    ...more,
  });

describe('the choice', () => {
  test.each<[string, Partial<RolloutInput>, object]>([
    ['nothing is old', { pods: [] }, { kind: 'Settled', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }],
    [
      'a GPU is free',
      { gpus: roomy },
      { kind: 'Surging', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    ],
    [
      'many are free, and many replicas',
      { gpus: roomy, replicas: 9 },
      { kind: 'Surging', rollingUpdate: { maxSurge: 3, maxUnavailable: 0 } },
    ],
    ['none is free', { gpus: full }, { kind: 'InPlace', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } }],
    [
      'the free ones are waited for',
      { gpus: { ...roomy, claims: [...roomy.claims, claim('x', undefined, 5)] } },
      { kind: 'InPlace' },
    ],
    ['no GPU is needed', { service: serviceWith(onCpu) }, { kind: 'Surging' }],
    [
      'begun in place, and a GPU is free now',
      { deployment: deployment('new', 0), gpus: roomy },
      { kind: 'InPlace' },
    ],
    [
      'begun as a surge, and no other GPU is free',
      { deployment: deployment('new', 2), gpus: full },
      { kind: 'Surging', rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
    ],
    [
      'the extra pod has just begun to wait',
      { deployment: deployment('new', 1), gpus: full, pods: [oldPod(), extra(secondsAgo(5))] },
      { kind: 'Surging' },
    ],
    [
      'the extra pod waits',
      { deployment: deployment('new', 1), gpus: full, pods: [oldPod(), extra(secondsAgo(20))] },
      { kind: 'InPlace' },
    ],
    [
      'it waits while a pod is ending',
      {
        deployment: deployment('new', 1),
        gpus: full,
        pods: [oldPod(), extra(secondsAgo(20)), podOf(service, { name: 'z', deleting: true })],
      },
      { kind: 'Surging' },
    ],
    [
      'it waits although a GPU is free',
      { deployment: deployment('new', 1), gpus: roomy, pods: [oldPod(), extra(secondsAgo(20))] },
      { kind: 'Surging' },
    ],
    [
      'it waits long although a GPU is free',
      { deployment: deployment('new', 1), gpus: roomy, pods: [oldPod(), extra(secondsAgo(70))] },
      { kind: 'InPlace' },
    ],
    [
      'Surge is asked for on a full cluster',
      { service: serviceWith({ rollout: { strategy: 'Surge' } }), gpus: full },
      { kind: 'Surging' },
    ],
    [
      'InPlace is asked for with free GPUs',
      { service: serviceWith({ rollout: { strategy: 'InPlace' } }), gpus: roomy },
      { kind: 'InPlace' },
    ],
    ['Reload is asked for', { service: reload, gpus: roomy }, { kind: 'Held' }],
    [
      'Reload, and no old pod is seen where there should be some',
      { service: reload, pods: [] },
      { kind: 'Held' },
    ],
    [
      'Reload, and there should be none',
      { service: reload, pods: [], deployment: deployment('old', 1, { replicas: 0 }) },
      { kind: 'Settled' },
    ],
    [
      'Reload, held, and not counted yet',
      { service: reload, pods: [], deployment: counted({ paused: true }, { observedGeneration: 1 }) },
      { kind: 'Held' },
    ],
    [
      'Reload, held, and an old pod is counted',
      {
        service: reload,
        pods: [],
        deployment: counted({ paused: true }, { replicas: 3, updatedReplicas: 2 }),
      },
      { kind: 'Held' },
    ],
    [
      'Reload, held, and no old pod is counted',
      {
        service: reload,
        pods: [],
        deployment: counted({ paused: true }, { replicas: 2, updatedReplicas: 2 }),
      },
      { kind: 'Settled' },
    ],
    [
      'Reload, and all began with this template',
      { service: reload, pods: [], deployment: counted({}, { observedGeneration: 1 }) },
      { kind: 'Settled' },
    ],
    [
      'released from Reload on a full cluster',
      { deployment: deployment('new', 1, { paused: true }), gpus: full },
      { kind: 'InPlace' },
    ],
  ])('%s', (_what, input, decision) => {
    expect(decide(input)).toMatchObject(decision);
  });

  test('a quota that refuses the extra pod ends the surge', () => {
    const refused = {
      ...deployment('new', 1),
      status: { conditions: [{ type: 'ReplicaFailure', status: 'True' as const }] },
    };
    expect(decide({ deployment: refused, gpus: roomy })).toMatchObject({ kind: 'InPlace' });
  });
});

/** Replicas that have come up on a cluster, and then get another image. */
function rolled(
  replicas: number,
  nodes: readonly number[],
  { spec = {}, ...options }: { spec?: object; loadTicks?: number; endTicks?: number } = {},
) {
  const cluster = new SimulatedCluster(serviceWith({ replicas, ...spec }), { nodes, ...options });
  if (!cluster.run(20)) throw new Error('the replicas do not come up');
  cluster.change({ image: 'aicity/model-server:2' });
  return cluster;
}

describe('whole rollouts', () => {
  test('with a free GPU no replica is missed', () => {
    const cluster = rolled(3, [4]);
    let fewest = 3;
    expect(cluster.run(60, () => (fewest = Math.min(fewest, cluster.available)))).toBe(true);
    expect(fewest).toBe(3);
  });

  test('without one, one replica at a time makes room', () => {
    const cluster = rolled(3, [3]);
    let fewest = 3;
    expect(cluster.run(60, () => (fewest = Math.min(fewest, cluster.available)))).toBe(true);
    expect(fewest).toBe(2);
  });

  test('a single replica on a full cluster is replaced, too', () => {
    expect(rolled(1, [1]).run(60)).toBe(true);
  });

  test('when others take the free GPU in the middle, the rollout goes on in place', () => {
    const cluster = rolled(2, [3]);
    cluster.step(() => cluster.othersTakeOne());
    expect(cluster.lastTarget?.rollout.kind).toBe('Surging');
    expect(cluster.run(60)).toBe(true);
    expect(cluster.lastTarget?.rollout.kind).toBe('Settled');
  });

  test('Surge on a full cluster waits, as asked', () => {
    expect(rolled(2, [2], { spec: { rollout: { strategy: 'Surge' } } }).run(60)).toBe(false);
  });

  test('Reload keeps every pod, also when it is scaled; Auto then replaces them', () => {
    const reload = { replicas: 2, rollout: { strategy: 'Reload' as const } };
    const cluster = rolled(2, [4], { spec: reload });
    const [template] = cluster.templates;
    expect(cluster.run(20)).toBe(false);
    expect([...cluster.templates]).toEqual([template]);
    cluster.change({ service: serviceWith({ ...reload, replicas: 3 }) });
    for (let round = 0; round < 10; round += 1) cluster.step();
    expect(cluster.available).toBe(3);
    expect([...cluster.templates]).toEqual([template]);
    cluster.change({ service: serviceWith({ replicas: 3 }) });
    expect(cluster.run(60)).toBe(true);
    expect([...cluster.templates]).not.toContain(template);
  });

  test('a second change in the middle of a rollout is reached as well', () => {
    const cluster = rolled(3, [3]);
    for (let round = 0; round < 3; round += 1) cluster.step();
    cluster.change({ image: 'aicity/model-server:3' });
    expect(cluster.run(80)).toBe(true);
  });

  test('on any cluster: it ends, holds no GPU twice, and misses a replica only where none is free', () => {
    const input = fc.record({
      replicas: fc.integer({ min: 1, max: 6 }),
      count: fc.integer({ min: 1, max: 3 }),
      nodes: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }),
      loadTicks: fc.integer({ min: 1, max: 6 }),
      endTicks: fc.integer({ min: 0, max: 5 }),
      stolenBefore: fc.integer({ min: 0, max: 2 }),
      /** Between the choice of a surge and the scheduling of the extra pod. */
      stolenAfter: fc.integer({ min: 0, max: 2 }),
      secondChangeAt: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        input,
        ({ replicas, count, nodes, stolenBefore, stolenAfter, secondChangeAt, ...options }) => {
          const fits = nodes.reduce((sum, gpus) => sum + Math.floor(gpus / count), 0);
          fc.pre(fits >= replicas);
          const cluster = rolled(replicas, nodes, { spec: { gpu: { count } }, ...options });
          for (let taken = 0; taken < stolenBefore; taken += 1) cluster.othersTakeOne();
          const hasRoom = cluster.freeGpus >= count && fits > replicas && stolenBefore + stolenAfter === 0;
          cluster.step(() => {
            for (let taken = 0; taken < stolenAfter; taken += 1) cluster.othersTakeOne();
          });
          let round = 0;
          const isDone = cluster.run(400, () => {
            round += 1;
            if (round === secondChangeAt) cluster.change({ image: 'aicity/model-server:3' });
            expect(cluster.isFeasible).toBe(true);
            expect(cluster.alive.length).toBeLessThanOrEqual(replicas + Math.max(1, Math.ceil(replicas / 4)));
            const missed = hasRoom && secondChangeAt === undefined ? 0 : 1;
            expect(cluster.available).toBeGreaterThanOrEqual(replicas - missed);
          });
          expect(isDone).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});
