/** What the conditions beside Ready say. */
import { describe, expect, test } from '@jest/globals';
import type { Deployment, LiveObject } from '../../../operator/plan/cluster-objects.ts';
import { notesFor } from '../../../operator/plan/event-notes.ts';
import {
  childrenOf,
  claim,
  gpuNode,
  observedWith,
  podOf,
  reportFrom,
  serviceWith,
  servingWorld,
  statusOf,
  waitingPod,
} from './builders.ts';

const service = serviceWith();
const world = servingWorld(service);

describe('conditions beside Ready', () => {
  test('of a service that serves', () => {
    const { condition, status } = statusOf(service, world);
    expect(status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`)).toEqual([
      'Ready=True Serving',
      'Reconciling=False UpToDate',
      'Stalled=False UpToDate',
      'ModelAvailable=True ModelVerified',
      'Scheduled=True AllScheduled',
      'Scaled=True FixedReplicas',
      'RolledOut=True UpToDate',
    ]);
    expect(condition('Ready')?.message).toBe('3 replicas serve the wanted model');
  });

  test('of a service that was just made: nothing is claimed, and kstatus sees that it goes on', () => {
    const { status } = statusOf(service, observedWith());
    expect(status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`)).toEqual([
      'Ready=False PodsStarting',
      'Reconciling=True PodsStarting',
      'Stalled=False UpToDate',
      'ModelAvailable=Unknown NoReports',
      'Scheduled=Unknown PodsStarting',
      'Scaled=True FixedReplicas',
      'RolledOut=Unknown Progressing',
    ]);
    expect(status.readyOfWanted).toBe('0/3');
  });

  test('a person is needed: Stalled, and not Reconciling', () => {
    const { condition } = statusOf(service, world, () => [
      {
        kind: 'terminal',
        step: {
          action: 'delete',
          kind: 'Service',
          name: 'traffic',
          namespace: 'city',
          uid: 'u',
          because: '',
        },
        message: 'm',
      },
    ]);
    expect(condition('Stalled')).toMatchObject({ status: 'True', reason: 'InvalidSpec' });
    expect(condition('Reconciling')?.status).toBe('False');
    expect(condition('Ready')).toMatchObject({ status: 'False', reason: 'InvalidSpec' });
  });

  test('a namespace that is being deleted is no trouble: nothing warns, and nobody is called', () => {
    const { condition, status } = statusOf(service, { ...world, pods: [], children: [] }, (steps) =>
      steps.map((step) => ({ kind: 'ending', step })),
    );
    expect(condition('Ready')).toMatchObject({
      status: 'False',
      reason: 'Progressing',
      message:
        'namespace city is being deleted and this service with it, so ConfigMap city/traffic-model is not made again',
    });
    expect(condition('Stalled')?.status).toBe('False');
    expect(notesFor(undefined, status).map(({ type }) => type)).toEqual(['Normal']);
  });

  test('under an autoscaler the floor makes ready, and the rest is told', () => {
    const scaled = serviceWith({ replicas: 2, autoscaling: { maxReplicas: 5 } });
    const children = childrenOf(scaled).map(
      (object): LiveObject =>
        object.kind === 'Deployment'
          ? ({ ...object, spec: { ...(object as Deployment).spec, replicas: 3 } } as Deployment)
          : object,
    );
    const pods = [podOf(scaled, { name: 'a' }), podOf(scaled, { name: 'b' }), waitingPod(scaled)];
    const reports = pods.slice(0, 2).map((pod) => reportFrom(pod, scaled));
    const { condition, status } = statusOf(
      scaled,
      observedWith({
        children,
        pods,
        reports,
        gpus: { nodes: [gpuNode('n1', 2)], claims: [claim('traffic', 'n1', 2)] },
      }),
    );
    expect(condition('Ready')).toMatchObject({ status: 'True', reason: 'Serving' });
    expect(condition('Ready')?.message).toBe(
      '2 of 3 replicas serve the wanted model; 1 of 3 replicas waits: no node has a free nvidia.com/gpu; 2 of 2 are used by traffic (2); scale one of them down or add a node',
    );
    expect(condition('Scheduled')).toMatchObject({ status: 'False', reason: 'InsufficientGPU' });
    expect(condition('Reconciling')?.status).toBe('True');
    expect(status.readyOfWanted).toBe('2/3');
  });

  test('a rollout whose new pods cannot start leaves Ready true and says why it does not go on', () => {
    const changed = serviceWith({ podTemplate: { env: [{ name: 'A', value: '1' }] } });
    const pods = [
      ...world.pods,
      podOf(changed, {
        name: 'new',
        ready: false,
        container: { state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } },
      }),
    ];
    const { condition } = statusOf(changed, {
      ...world,
      pods,
      gpus: { nodes: [gpuNode('n1', 8)], claims: [] },
    });
    expect(condition('Ready')).toMatchObject({ status: 'True', reason: 'Serving' });
    expect(condition('RolledOut')).toMatchObject({ status: 'False', reason: 'RolloutSurging' });
    expect(condition('RolledOut')?.message).toMatch(
      /^1 of 4 pods run the wanted template; .*cannot be pulled \(no such image\)/,
    );
  });

  test('a rollout that is held names the way out', () => {
    const held = serviceWith({ rollout: { strategy: 'Reload' }, podTemplate: { priorityClassName: 'high' } });
    const { condition } = statusOf(held, world);
    expect(condition('RolledOut')).toMatchObject({ status: 'False', reason: 'RolloutHeld' });
    expect(condition('RolledOut')?.message).toBe(
      '0 of 3 pods run the wanted template; the others stay, since spec.rollout.strategy is Reload: set it to Auto to replace them',
    );
    expect(condition('Ready')?.status).toBe('True');
  });
});
