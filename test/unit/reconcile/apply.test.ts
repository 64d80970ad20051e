import { expect, test } from '@jest/globals';
import { errorFromStatus } from '../../../operator/kube/errors.ts';
import { plan } from '../../../operator/plan/plan.ts';
import type { Step } from '../../../operator/plan/target.ts';
import { apply } from '../../../operator/reconcile/apply.ts';
import { childrenOf, observedWith, onCpu, serviceWith } from '../plan/builders.ts';
import { failure, RecordingClient } from './recording-client.ts';

const fixed = serviceWith(onCpu);
const scaling = serviceWith({ ...onCpu, autoscaling: { maxReplicas: 9 } });
const creation = plan(fixed, observedWith()).steps;
const turnedOn = plan(scaling, observedWith({ children: childrenOf(fixed) })).steps;

async function applied(steps: readonly Step[], failures: Record<string, unknown> = {}) {
  const recording = new RecordingClient();
  for (const [what, error] of Object.entries(failures)) recording.failures.set(what, error);
  const outcomes = await apply(steps, recording.client, new AbortController().signal);
  return { outcomes, asked: recording.asked, calls: recording.calls };
}

test('pods come after what they need, and what watches them comes last', async () => {
  const { asked, outcomes } = await applied(creation);
  expect(asked).toEqual([
    'apply ConfigMap traffic-model',
    'apply ServiceAccount traffic-model',
    'apply NetworkPolicy traffic',
    'apply Service traffic',
    'apply Deployment traffic',
    'apply PodDisruptionBudget traffic',
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(6).fill('done'));
});

test('what fails does not keep the others from being done, and is told in the words of the server', async () => {
  const { asked, outcomes } = await applied(creation, {
    'apply ConfigMap traffic-model': failure('retry', 'etcd is full', 7),
    'apply Service traffic': failure('terminal', 'spec.ports: Invalid value'),
    'apply Deployment traffic': failure('conflict'),
    'apply NetworkPolicy traffic': new TypeError('a fault of ours'),
  });
  expect(new Set(asked.filter((what) => what.startsWith('apply'))).size).toBe(6);
  expect(outcomes.map(({ kind }) => kind)).toEqual([
    'retry',
    'done',
    'retry',
    'terminal',
    'conflict',
    'done',
  ]);
  expect(outcomes[0]).toMatchObject({ message: 'etcd is full', afterSeconds: 7 });
  expect(outcomes[2]).toMatchObject({ message: 'TypeError: a fault of ours' });
  expect(outcomes[3]).toMatchObject({ message: 'spec.ports: Invalid value' });
});

test('the replicas are handed over, at the version that was seen, before they are left out', async () => {
  const { asked, calls } = await applied(turnedOn);
  expect(asked).toEqual([
    'apply Deployment traffic as aicity-operator-autoscaling',
    'apply Deployment traffic',
    'apply HorizontalPodAutoscaler traffic',
  ]);
  const [handover, main] = calls;
  expect(handover?.object).toMatchObject({
    metadata: { resourceVersion: expect.any(String) },
    spec: { replicas: 3 },
  });
  expect(Object.keys(handover!.object!['spec'] as object)).toEqual(['replicas']);
  expect(main?.object?.['spec']).not.toHaveProperty('replicas');
});

test('when the hand-over is refused, neither the Deployment nor the autoscaler is written', async () => {
  const { asked, outcomes } = await applied(turnedOn, {
    'apply Deployment traffic as aicity-operator-autoscaling': failure('conflict'),
  });
  expect(asked).toEqual(['apply Deployment traffic as aicity-operator-autoscaling']);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['conflict']);
});

test('an object that was seen is written only as that very object', async () => {
  const { calls } = await applied(turnedOn);
  expect(calls[1]?.object?.metadata.uid).toMatch(/^uid-/);
  const created = await applied(creation);
  expect(created.calls[0]?.object?.metadata.uid).toBeUndefined();
});

test('in a namespace that is being deleted nothing can be made, which is no failure', async () => {
  const status = { reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } };
  const { outcomes } = await applied(creation, {
    'apply Service traffic': errorFromStatus(403, status, 'PATCH /x'),
  });
  expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done', 'ending', 'done', 'done']);
});

test('what is in the way of a creation is looked at, and what is gone again is made', async () => {
  const recording = new RecordingClient();
  const stranger = {
    kind: 'Service',
    metadata: { name: 'traffic', namespace: 'city', resourceVersion: '7' },
  };
  recording.existing.set('Service traffic', stranger);
  recording.failures.set('apply ConfigMap traffic-model', failure('conflict'));
  const retried = apply(creation, recording.client, new AbortController().signal);
  recording.failures.clear();
  const outcomes = await retried;
  expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done', 'conflict', 'done', 'done']);
  expect(outcomes[3]).toMatchObject({ found: stranger });
  const versions = recording.calls
    .filter(({ what }) => what === 'apply ConfigMap traffic-model')
    .map(({ object }) => object?.metadata.resourceVersion);
  expect(versions).toEqual(['1', undefined]);
});

test('nothing is removed when an object was met that had not been seen', async () => {
  const steps = plan(
    fixed,
    observedWith({ children: childrenOf(scaling).filter(({ kind }) => kind !== 'Deployment') }),
  ).steps;
  const { asked } = await applied(steps, { 'apply Deployment traffic': failure('conflict') });
  expect(asked).not.toContainEqual(expect.stringMatching(/^delete/));
  expect((await applied(steps)).asked).toEqual([
    'apply Deployment traffic',
    'delete HorizontalPodAutoscaler traffic',
  ]);
});

test('an object that was not seen is written only where there is none', async () => {
  const { calls } = await applied(creation);
  expect(calls.map(({ object }) => object?.metadata.resourceVersion)).toEqual(Array(6).fill('1'));
});

test('a deletion is bound to the uid, and what is gone already is done', async () => {
  const steps = plan(fixed, observedWith({ children: childrenOf(scaling) })).steps.filter(
    ({ action }) => action === 'delete',
  );
  const { asked, calls, outcomes } = await applied(steps, {
    'delete HorizontalPodAutoscaler traffic': failure('notFound'),
  });
  expect(asked).toEqual(['delete HorizontalPodAutoscaler traffic']);
  expect(calls[0]?.options).toMatchObject({ uid: expect.stringMatching(/^uid-/) });
  expect(outcomes.map(({ kind }) => kind)).toEqual(['done']);
});

test('what others wrote beside our fields is cleared before ours are applied to an object that was there', async () => {
  const drifted = (kind: string) =>
    creation
      .filter((step) => step.action === 'apply' && step.object.kind === kind)
      .map((step) => ({ ...step, because: 'drifted' }) as Step);
  const service = await applied(drifted('Service'));
  const servicePath = /^PATCH \/api\/v1\/namespaces\/[^/]+\/services\/traffic$/;
  expect(service.asked).toEqual([expect.stringMatching(servicePath), 'apply Service traffic']);
  expect(service.calls[0]?.options).toEqual({
    spec: { type: 'ClusterIP', ports: expect.arrayContaining([expect.objectContaining({ port: 80 })]) },
  });
  const budget = await applied(drifted('PodDisruptionBudget'));
  expect(budget.calls[0]?.options).toEqual({ spec: { minAvailable: null } });
  expect((await applied(drifted('ConfigMap'))).asked).toEqual(['apply ConfigMap traffic-model']);
});

test('a refused step touches nothing', async () => {
  const step: Step = { action: 'refuse', kind: 'Service', name: 'x', reason: 'NameConflict', message: 'm' };
  expect(await applied([step])).toEqual({ asked: [], calls: [], outcomes: [{ kind: 'refused', step }] });
});
