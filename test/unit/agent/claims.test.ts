import { describe, expect, test } from '@jest/globals';
import { ClaimStatus } from '../../../crds/city-report.ts';
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import { claimOf } from '../../../operator/plan/agent/claims.ts';
import { neededReplicas } from '../../../operator/plan/agent/needed.ts';
import { podOf, serviceWith, servingWorld, statusOf, waitingPod } from '../plan/builders.ts';

const grant = { epoch: 7, session: 's', floor: 3, ceiling: 3 };
const bounds = { epoch: 7, floor: 3, ceiling: 3 };
const bare = serviceWith();
const serving = { ...bare, status: statusOf(bare, servingWorld(bare)).status };
const pods = ['a', 'b', 'c'].map((name) => podOf(bare, { name }));

describe('a claim', () => {
  test('of a service that serves', () => {
    const claim = claimOf({ grant, service: serving, pods, url: 'http://10.0.0.1' });
    expect(claim).toMatchObject({
      ...bounds,
      running: 3,
      ready: 3,
      reason: 'Serving',
      version: '3',
      busyPercent: 50,
      requestsPerSecond: 30,
      url: 'http://10.0.0.1',
    });
    expect(claim).not.toHaveProperty('message');
    expect(ClaimStatus.parse(claim)).toEqual(claim);
  });

  test('counts pods by their place: those that end have one, those that wait for a node and those that have ended have none', () => {
    const some = [
      podOf(bare, { name: 'ending', deleting: true }),
      waitingPod(bare, { name: 'waiting' }),
      podOf(bare, { name: 'over', phase: 'Succeeded' }),
    ];
    expect(claimOf({ grant, service: serving, pods: some }).running).toBe(1);
  });

  test('tells of pods that answer with an earlier model while the wanted one is not served', () => {
    const failing = { ...serving, status: { ...serving.status, readyReplicas: 0 } };
    expect(claimOf({ grant, service: failing, pods })).toMatchObject({ ready: 0, answering: 3 });
    expect(claimOf({ grant, service: serving, pods })).not.toHaveProperty('answering');
  });

  test('never says that more is ready than runs', () => {
    expect(claimOf({ grant, service: serving, pods: pods.slice(0, 1) })).toMatchObject({
      running: 1,
      ready: 1,
    });
  });

  test('of a service that is not there yet, or on its way out, has nothing ready', () => {
    const deleting = {
      ...serving,
      metadata: { ...serving.metadata, deletionTimestamp: '2026-03-01T12:00:00Z' },
    };
    expect(claimOf({ grant, service: undefined, pods: [] })).toEqual({
      ...bounds,
      running: 0,
      ready: 0,
      needed: 0,
    });
    expect(claimOf({ grant, service: deleting, pods })).toEqual({
      ...bounds,
      running: 3,
      ready: 0,
      needed: 0,
    });
  });

  test('does not repeat what was said of an earlier spec', () => {
    const changed = { ...serving, metadata: { ...serving.metadata, generation: 2 } };
    expect(claimOf({ grant, service: changed, pods })).not.toHaveProperty('reason');
  });

  test('tells why it is not ready, and what stands in the way', () => {
    const unready = {
      ...bare,
      status: statusOf(bare, { ...servingWorld(bare), reports: [], pods: [] }).status,
    };
    const { reason, message } = claimOf({ grant, service: unready, pods: [] });
    expect(reason).toBe('PodsStarting');
    expect(message).toMatch(/\w+ .*\w/);
    const trouble = { reason: 'NameConflict' as const, message: 'x'.repeat(5000) };
    const claim = claimOf({ grant, service: undefined, pods: [], trouble });
    expect(claim).toMatchObject({ ...bounds, running: 0, reason: 'NameConflict' });
    expect(claim.message).toHaveLength(2048);
    const refused = { reason: 'ApplyFailed' as const, message: 'The service cannot be written' };
    expect(claimOf({ grant, service: serving, pods, trouble: refused })).toMatchObject({
      ready: 3,
      ...refused,
    });
  });
});

describe('what the load needs', () => {
  const load = (busyPercent: number, queueTimeMilliseconds = 0): ModelServiceStatus['load'] => ({
    busyPercent,
    queueTimeMilliseconds,
  });
  const { autoscaling } = serviceWith({
    autoscaling: {
      maxReplicas: 9,
      metrics: [
        { type: 'Load', targetPercent: 50 },
        { type: 'QueueTime', targetMilliseconds: 20 },
      ],
    },
  }).spec;
  const onCpu = serviceWith({
    autoscaling: { maxReplicas: 9, metrics: [{ type: 'CPU', targetPercent: 50 }] },
  }).spec.autoscaling;
  const asksFor = (desiredReplicas: number) => ({
    kind: 'HorizontalPodAutoscaler' as const,
    metadata: { name: 'traffic' },
    status: { desiredReplicas },
  });

  test.each([
    ['as many as there are, at the target', 4, load(70), undefined, undefined, 4],
    ['no other number within the tolerance', 4, load(76), undefined, undefined, 4],
    ['more above it', 4, load(80), undefined, undefined, 5],
    ['fewer below it', 4, load(20), undefined, undefined, 2],
    ['none without load', 4, load(0), undefined, undefined, 0],
    ['none where nothing is reported', 4, undefined, undefined, undefined, 0],
    ['the higher of two metrics', 4, load(50, 60), autoscaling, undefined, 12],
    ['what the autoscaler says of the processor', 4, load(90), onCpu, asksFor(6), 6],
  ])('%s', (_what, ready, reported, scaling, autoscaler, needed) => {
    expect(neededReplicas(ready, reported, scaling, autoscaler)).toBe(needed);
  });
});
