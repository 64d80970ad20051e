import { describe, expect, test } from '@jest/globals';
import type { ModelService, ModelServiceStatus } from '../../../crds/model-service.ts';
import type { Autoscaler, Deployment, LiveObject, Pod } from '../../../operator/plan/cluster-objects.ts';
import { notesFor } from '../../../operator/plan/event-notes.ts';
import { loadStatus } from '../../../operator/plan/load.ts';
import { nextLook } from '../../../operator/plan/next-look.ts';
import type { Observed } from '../../../operator/plan/observed.ts';
import { plan } from '../../../operator/plan/plan.ts';
import { statusChange } from '../../../operator/plan/status.ts';
import type { Outcome } from '../../../operator/plan/target.ts';
import {
  childrenOf,
  gpuNode,
  NOW,
  observedWith,
  onCpu,
  podOf,
  reportFrom,
  secondsAgo,
  serviceWith,
  servingWorld,
  statusOf,
  waitingPod,
} from './builders.ts';

const service = serviceWith();
const world = servingWorld(service);
const said = (status: ModelServiceStatus): ModelService => ({ ...service, status });
const serving = statusOf(service, world).status;

describe('a ready replica', () => {
  const one = serviceWith({ replicas: 1 });
  const pod = podOf(one);
  const ready = (thePod = pod, report = reportFrom(thePod, one)) =>
    statusOf(one, observedWith({ children: childrenOf(one), pods: [thePod], reports: [report] })).status
      .readyReplicas;
  const served = reportFrom(pod, one).report.serving!;
  const { lastInferenceAt: _, ...neverAsked } = served;

  test.each([
    ['serves the wanted model and has answered', pod, reportFrom(pod, one), 1],
    ['has answered nothing', pod, reportFrom(pod, one, { serving: neverAsked }), 0],
    [
      'serves another model',
      pod,
      reportFrom(pod, one, { serving: { ...served, revision: '0000000000' } }),
      0,
    ],
    ['is loading', pod, reportFrom(pod, one, { state: 'Loading' }), 0],
    ['is draining', pod, reportFrom(pod, one, { state: 'Draining' }), 0],
    ['has a report that is too old', pod, reportFrom(pod, one, {}, 'Stale'), 0],
    ['is not ready for the kubelet', podOf(one, { ready: false }), reportFrom(pod, one), 0],
    ['is being deleted', podOf(one, { deleting: true }), reportFrom(pod, one), 0],
    ['has a report of another pod', pod, { ...reportFrom(pod, one), podUid: 'another' }, 0],
  ])('%s', (_what, thePod, report, replicas) => {
    expect(ready(thePod, report)).toBe(replicas);
  });
});

describe('a new leader', () => {
  const unheard = { ...world, reports: [], reportsSettled: false };

  test('believes the status for the first seconds', () => {
    const { status } = statusOf(said(serving), unheard);
    expect(status).toEqual(serving);
  });

  test('believes no more than there are ready pods', () => {
    const pods = [...world.pods.slice(0, 2), podOf(service, { name: 'traffic-2', ready: false })];
    expect(statusOf(said(serving), { ...unheard, pods }).status.readyReplicas).toBe(2);
  });

  test('believes nothing about another model', () => {
    const changed = {
      ...said(serving),
      spec: serviceWith({ model: { uri: 'https://models.example/other' } }).spec,
    };
    expect(statusOf(changed, unheard).status.readyReplicas).toBe(0);
  });

  test('counts who is heard, and believes the rest', () => {
    const [report] = world.reports;
    const bad = { ...report!, report: { ...report!.report, state: 'Loading' as const } };
    expect(statusOf(said(serving), { ...unheard, reports: [bad] }).status.readyReplicas).toBe(2);
  });

  test('judges when it has listened long enough', () => {
    const { condition, status } = statusOf(said(serving), { ...unheard, reportsSettled: true });
    expect(status.readyReplicas).toBe(0);
    expect(condition('Ready')).toMatchObject({ status: 'Unknown', reason: 'ReplicasUnknown' });
  });
});

describe('a new leader of a world that is as it was', () => {
  const { serving: served } = reportFrom(world.pods[0]!, service).report;
  const { serving: _, ...speechless } = reportFrom(world.pods[0]!, service).report;
  const error = { revision: served!.revision, reason: 'SourceNotFound', message: 'HTTP 404' } as const;
  const failed = (pod: Pod) => ({ ...reportFrom(pod, service), report: { ...speechless, error } });
  const earlier = (pod: Pod) =>
    reportFrom(pod, service, { error, serving: { ...served!, revision: 'earlier000', version: 2 } });
  const loading = (pod: Pod) => ({
    ...reportFrom(pod, service),
    report: {
      ...speechless,
      state: 'Loading',
      loading: { revision: served!.revision, message: '' },
    } as const,
  });
  const unready = world.pods.map((_pod, at) =>
    podOf(service, {
      name: `traffic-${at}`,
      ready: false,
      container: { state: { running: { startedAt: secondsAgo(90) } } },
    }),
  );
  const [first, ...others] = world.pods as [Pod, ...Pod[]];
  const lostNode = { nodes: [gpuNode('n1', 3, { ready: false })], claims: [] };

  test.each<[string, Partial<Observed>]>([
    ['serves', {}],
    ['has nobody that reports', { reports: [] }],
    ['has one that never reports', { reports: others.map((pod) => reportFrom(pod, service)) }],
    ['fails', { pods: unready, reports: unready.map(failed) }],
    ['fails, and serves the earlier model', { reports: world.pods.map(earlier) }],
    ['fails in part', { reports: [failed(first), ...others.map((pod) => reportFrom(pod, service))] }],
    ['loads', { pods: unready, reports: unready.map(loading) }],
    ['has a node that is lost', { pods: unready, reports: [], gpus: lostNode }],
  ])('writes nothing where it %s, before and after the replicas are heard', (_what, more) => {
    const before = { ...world, ...more };
    const stored = said(statusOf(service, before).status);
    const looks = [0, 1, 2, 3].map((heard) => ({
      ...before,
      reports: before.reports.slice(0, heard),
      reportsSettled: false,
    }));
    for (const look of [...looks, before]) expect(statusOf(stored, look).status).toEqual(stored.status);
  });

  test('tells what has changed meanwhile', () => {
    const stored = said(statusOf(service, { ...world, pods: unready, reports: unready.map(failed) }).status);
    const silent = { ...world, reports: [], reportsSettled: false };
    const another = { ...stored, metadata: { ...stored.metadata, generation: 2 } };
    expect(statusOf(another, { ...silent, pods: unready }).condition('Ready')?.reason).toBe('PodsStarting');
    const fewer = { ...silent, pods: unready.slice(1) };
    expect(statusOf(stored, fewer).condition('Ready')?.reason).toBe('PodsStarting');
    const settled = { ...silent, pods: unready, reportsSettled: true };
    expect(statusOf(stored, settled).condition('Ready')?.reason).toBe('ReplicasUnknown');
  });
});

describe('conditions keep their times', () => {
  const earlier = secondsAgo(999);
  const aged = said({
    ...serving,
    conditions: serving.conditions!.map((condition) => ({ ...condition, lastTransitionTime: earlier })),
  });

  test('while their status stays, whatever the message says', () => {
    const more = statusOf({ ...aged, metadata: { ...aged.metadata, generation: 2 } }, world);
    expect(more.status.conditions?.every(({ lastTransitionTime }) => lastTransitionTime === earlier)).toBe(
      true,
    );
    expect(more.status).toMatchObject({ observedGeneration: 2 });
  });

  test('and get a new one when it changes', () => {
    const { condition } = statusOf(aged, { ...world, pods: world.pods.slice(1) });
    expect(condition('Ready')).toMatchObject({ status: 'False', lastTransitionTime: NOW });
    expect(condition('Stalled')).toMatchObject({ lastTransitionTime: earlier });
  });
});

describe('the served model', () => {
  test('is the one of the ready replicas, by majority', () => {
    const reports = world.pods.map((pod, at) => {
      const { serving } = reportFrom(pod, service).report;
      return reportFrom(pod, service, { serving: { ...serving!, version: at === 0 ? 4 : 3 } });
    });
    expect(statusOf(service, { ...world, reports }).status.model).toMatchObject({ version: '3' });
  });

  test('is the earlier one while the wanted one loads', () => {
    const { serving } = reportFrom(world.pods[0]!, service).report;
    const reports = world.pods.map((pod) =>
      reportFrom(pod, service, {
        serving: { ...serving!, revision: 'earlier000', version: 2 },
        loading: { revision: 'x', message: '' },
      }),
    );
    const { status } = statusOf(service, { ...world, reports });
    expect(status.model).toMatchObject({ version: '2' });
    expect(status.model?.revision).toBe(serving?.revision);
    expect(status.readyReplicas).toBe(0);
  });
});

describe('load', () => {
  const load = (busyShare: number, requestsPerSecond: number, queueTimeMilliseconds = 0, queued = 0) => ({
    ...reportFrom(world.pods[0]!, service).report,
    load: {
      busyShare,
      queued,
      inFlight: 0,
      queueTimeMilliseconds,
      requestsPerSecond,
      rejectedPerSecond: 0,
      windowSeconds: 10,
    },
  });

  test('is the mean of the shares, the sum of the rates, and the wait of a mean request', () => {
    expect(loadStatus([load(0.2, 10, 10, 2), load(0.6, 30, 50, 3)], undefined)).toEqual({
      busyPercent: 40,
      queueTimeMilliseconds: 40,
      queued: 5,
      requestsPerSecond: 40,
      rejectedPerSecond: 0,
      reportingReplicas: 2,
    });
  });

  test('is absent when nobody reports, and nothing waits when nothing is asked', () => {
    expect(loadStatus([], undefined)).toBeUndefined();
    expect(loadStatus([load(0, 0, 9)], undefined)?.queueTimeMilliseconds).toBe(0);
  });

  test('keeps a figure that has hardly moved, and shows when it falls to zero', () => {
    const before = loadStatus([load(0.5, 100, 20)], undefined)!;
    expect(loadStatus([load(0.52, 108, 22)], before)).toEqual(before);
    expect(loadStatus([load(0.55, 130, 20)], before)).toMatchObject({
      busyPercent: 55,
      requestsPerSecond: 130,
    });
    expect(loadStatus([load(0, 0)], before)).toMatchObject({
      busyPercent: 0,
      requestsPerSecond: 0,
      queueTimeMilliseconds: 0,
    });
  });

  test('of GPUs is the mean of what they compute, and the memory of the fullest', () => {
    const gpu = (memoryUsedBytes: number, utilization?: number) => ({
      ...{ uuid: 'GPU-1', name: 'Large', memoryBytes: 1000, memoryUsedBytes },
      ...(utilization !== undefined && { utilization }),
    });
    const withGpus = (...gpus: ReturnType<typeof gpu>[]) => {
      const report = load(0.5, 100);
      return { ...report, load: { ...report.load, gpus } };
    };
    const before = loadStatus([withGpus(gpu(900, 0.2), gpu(100)), withGpus(gpu(200, 0.6))], undefined);
    expect(before).toMatchObject({ gpuUtilizationPercent: 40, gpuMemoryPercent: 90 });
    expect(loadStatus([withGpus(gpu(890, 0.41))], before)).toMatchObject({
      ...{ gpuUtilizationPercent: 40, gpuMemoryPercent: 90 },
    });
    const slices = loadStatus([withGpus(gpu(500))], before);
    expect(slices).toMatchObject({ gpuMemoryPercent: 50 });
    expect(slices).not.toHaveProperty('gpuUtilizationPercent');
    expect(loadStatus([load(0.5, 100)], before)).not.toHaveProperty('gpuMemoryPercent');
  });

  test('alone is a lesser change', () => {
    const busier = { ...serving, load: { ...serving.load, busyPercent: 99 } };
    expect(statusChange(serving, serving)).toBe('None');
    expect(statusChange(serving, busier)).toBe('LoadOnly');
    expect(statusChange(serving, { ...busier, readyReplicas: 0 })).toBe('More');
    expect(statusChange(undefined, serving)).toBe('More');
  });
});

describe('Scaled', () => {
  const scaling = serviceWith({ ...onCpu, autoscaling: { maxReplicas: 9 } });
  const withHpa = (conditions: NonNullable<Autoscaler['status']>['conditions']): LiveObject[] =>
    childrenOf(scaling).map((object) =>
      object.kind === 'HorizontalPodAutoscaler'
        ? ({ ...object, status: { conditions: conditions ?? [] } } as Autoscaler)
        : object,
    );
  const active = { type: 'ScalingActive', status: 'True' } as const;
  const failing = {
    type: 'ScalingActive',
    status: 'False',
    reason: 'FailedGetPodsMetric',
    message: 'no metrics returned',
  } as const;
  const pods = Array.from({ length: 3 }, (_, at) => podOf(scaling, { name: `traffic-${at}` }));
  const reports = pods.map((pod) => reportFrom(pod, scaling));
  const scaled = (children: LiveObject[], more = {}) =>
    statusOf(scaling, observedWith({ children, pods, reports, ...more })).condition('Scaled');

  test.each([
    ['it works', [active], {}, 'True', 'Autoscaled', 'the autoscaler decides between 3 and 9'],
    ['it has not looked', [], {}, 'Unknown', 'Progressing', 'the autoscaler has not looked yet'],
    [
      'it fails',
      [failing],
      {},
      'False',
      'AutoscalerFailing',
      'the autoscaler cannot compute a number of replicas, so 3 stay: no metrics returned',
    ],
    [
      'it has no metrics yet',
      [{ ...failing, lastTransitionTime: secondsAgo(59) }],
      {},
      'Unknown',
      'Progressing',
      /no metrics returned/,
    ],
    [
      'it has had no metrics for long',
      [{ ...failing, lastTransitionTime: secondsAgo(61) }],
      {},
      'False',
      'AutoscalerFailing',
      /no metrics returned/,
    ],
    [
      'it cannot work while no replica does',
      [failing],
      { reports: [] },
      'Unknown',
      'Progressing',
      /no metrics returned/,
    ],
    [
      'another adapter',
      [active],
      { customMetrics: { kind: 'Other', owner: 'monitoring/adapter' } },
      'True',
      'MetricsAPIOwnedByOther',
      /by CPU instead of the reported load, since custom\.metrics\.k8s\.io is served by monitoring\/adapter$/,
    ],
  ])('%s', (_what, conditions, more, status, reason, message) => {
    const found = scaled(withHpa(conditions), more);
    expect(found).toMatchObject({ status, reason });
    if (typeof message === 'string') expect(found?.message).toBe(message);
    else expect(found?.message).toMatch(message);
  });

  test('a failure is told when it lasts, and that is looked for', () => {
    const failingFor = (seconds: number) =>
      observedWith({
        children: withHpa([{ ...failing, lastTransitionTime: secondsAgo(seconds) }]),
        pods,
        reports,
      });
    const working = statusOf(scaling, { ...failingFor(0), children: withHpa([active]) }).status;
    const reasonAfter = (status: ModelServiceStatus | undefined, seconds: number) =>
      statusOf({ ...scaling, ...(status ? { status } : {}) }, failingFor(seconds)).condition('Scaled')
        ?.reason;
    expect(reasonAfter(working, 29)).toBe('Autoscaled');
    expect(reasonAfter(working, 31)).toBe('AutoscalerFailing');
    const begun = statusOf(scaling, failingFor(5));
    expect(notesFor(undefined, begun.status).map(({ type }) => type)).toEqual(['Normal']);
    expect(reasonAfter(begun.status, 59)).toBe('Progressing');
    expect(reasonAfter(begun.status, 61)).toBe('AutoscalerFailing');
    const looks = [5, 35].map((seconds) => nextLook(failingFor(seconds), begun.target, [])?.afterSeconds);
    expect(looks).toEqual([26, 26]);
    expect(nextLook(failingFor(61), begun.target, [])).toBeUndefined();
  });

  test('held: what to do is said', () => {
    const children = withHpa([active]).map(
      (object): LiveObject =>
        object.kind === 'Deployment'
          ? ({ ...object, spec: { ...(object as Deployment).spec, replicas: 6 } } as Deployment)
          : object,
    );
    const { condition } = statusOf(serviceWith(onCpu), observedWith({ children }));
    expect(condition('Scaled')).toMatchObject({ status: 'True', reason: 'HeldFromAutoscaling' });
    expect(condition('Scaled')?.message).toBe(
      'autoscaling was removed at 6 replicas, which stay until spec.replicas is edited: set it to 6 to keep them, or to any number but 3',
    );
  });
});

describe('events', () => {
  test('tell a new reason once, as a warning when something is wrong', () => {
    const broken = statusOf(service, {
      ...world,
      pods: [world.pods[0]!, world.pods[1]!, waitingPod(service)],
    }).status;
    expect(notesFor(undefined, serving)).toMatchObject([{ type: 'Normal', reason: 'Serving' }]);
    expect(notesFor(serving, broken)).toMatchObject([{ type: 'Warning', reason: 'InsufficientGPU' }]);
    expect(notesFor(broken, broken)).toEqual([]);
    expect(notesFor(broken, serving)).toMatchObject([{ type: 'Normal', reason: 'Serving' }]);
  });

  test('a held number and a rollout are told when they begin', () => {
    const held = statusOf(
      serviceWith({ rollout: { strategy: 'Reload' }, podTemplate: { priorityClassName: 'p' } }),
      world,
    ).status;
    expect(notesFor(serving, held)).toMatchObject([{ type: 'Warning', reason: 'RolloutHeld' }]);
  });
});

describe('the next look', () => {
  const look = (observed = world, outcomes: Outcome[] = []) =>
    nextLook(observed, plan(service, observed), outcomes);
  const step = { action: 'refuse', kind: 'Service', name: 'x', reason: 'NameConflict', message: '' } as const;

  test('is not needed while all is well', () => {
    expect(look()).toBeUndefined();
  });

  test.each<[string, Outcome, number]>([
    ['conflict', { kind: 'conflict', step, message: '' }, 1],
    ['failure', { kind: 'retry', step, message: '' }, 5],
    [
      'failure with a wait that the server asked for',
      { kind: 'retry', step, message: '', afterSeconds: 40 },
      40,
    ],
    ['refusal', { kind: 'terminal', step, message: '' }, 300],
    ['taken name', { kind: 'refused', step }, 30],
    ['namespace on its way out', { kind: 'ending', step }, 300],
  ])('follows a %s', (_what, outcome, afterSeconds) => {
    expect(look(world, [outcome])).toMatchObject({ afterSeconds });
  });

  test('is when the first report of a pod is due', () => {
    const pods = [podOf(service, { name: 'new', readySince: secondsAgo(4) })];
    expect(look({ ...world, pods })).toMatchObject({ afterSeconds: 17 });
  });

  test('is when a pod without a container has waited too long', () => {
    const container = { state: { waiting: { reason: 'ContainerCreating' } } };
    const pods = [podOf(service, { name: 'new', ready: false, readySince: secondsAgo(20), container })];
    expect(look({ ...world, pods })).toMatchObject({ afterSeconds: 41 });
  });

  test('is soon while a surge waits for a node', () => {
    const pods = [
      ...world.pods.map((pod) => podOf(service, { name: pod.metadata.name, templateRevision: 'old' })),
      waitingPod(service),
    ];
    const surge = serviceWith({ rollout: { strategy: 'Surge' } });
    const observed = { ...world, pods };
    expect(nextLook(observed, plan(surge, observed), [])).toMatchObject({ afterSeconds: 5 });
  });
});
