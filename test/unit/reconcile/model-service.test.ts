import { beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ModelService } from '../../../crds/model-service.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import type { LiveObject } from '../../../operator/plan/cluster-objects.ts';
import type { ChildKind } from '../../../operator/plan/target.ts';
import { GpuIndex } from '../../../operator/reconcile/gpu-index.ts';
import { modelServiceReconcile } from '../../../operator/reconcile/model-service.ts';
import { projectNode } from '../../../operator/reconcile/node-projection.ts';
import type { ObservedPod } from '../../../operator/reconcile/pod-projection.ts';
import { StatusWriter } from '../../../operator/reconcile/status-writer.ts';
import { createStores, type Stores } from '../../../operator/reconcile/stores.ts';
import { connectTriggers } from '../../../operator/reconcile/triggers.ts';
import { ReportRegistry } from '../../../operator/reports/registry.ts';
import { keyOf, keyString } from '../../../operator/runtime/key.ts';
import { childrenOf, onCpu, podOf, reportFrom, serviceWith, settings } from '../plan/builders.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { failure, RecordingClient } from './recording-client.ts';

const log = pino({ level: 'silent' });
const service = serviceWith(onCpu);
const key = keyOf(service);
const signal = new AbortController().signal;

let recording: RecordingClient;
let stores: Stores;
let registry: ReportRegistry;
let look: () => Promise<object>;
let clock: FakeClock;

beforeEach(() => {
  recording = new RecordingClient();
  stores = createStores(log);
  clock = new FakeClock('2026-03-01T12:00:00Z');
  registry = new ReportRegistry({ clock });
  const { client } = recording;
  const events = { record() {}, async flush() {} };
  const reconcile = modelServiceReconcile({
    client,
    clock,
    log,
    stores,
    reports: registry,
    gpus: new GpuIndex(stores),
    customMetrics: () => ({ kind: 'Ours' }),
    settings: () => settings,
    statusWriter: new StatusWriter({ client, clock, events }),
  });
  look = () => reconcile(key, signal);
});

const put = (children: readonly LiveObject[]) => {
  for (const child of children) stores.children[child.kind as ChildKind].set(child);
};
const written = () =>
  recording.calls.find(({ what }) => what.startsWith('status'))?.object as unknown as ModelService;

describe('one look', () => {
  test('at a service that is not there, or on its way out, does nothing', async () => {
    expect(await look()).toEqual({ kind: 'done' });
    stores.modelServices.set({ ...service, metadata: { ...service.metadata, deletionTimestamp: 'now' } });
    expect(await look()).toEqual({ kind: 'done' });
    expect(recording.asked).toEqual([]);
  });

  test('at a new service makes the objects where there are none, and tells', async () => {
    stores.modelServices.set(service);
    await look();
    expect(recording.asked).toEqual([
      'apply ConfigMap traffic-model',
      'apply ServiceAccount traffic-model',
      'apply NetworkPolicy traffic',
      'apply Service traffic',
      'apply Deployment traffic',
      'apply PodDisruptionBudget traffic',
      'status ModelService traffic',
    ]);
    const applied = recording.calls.filter(({ what }) => what.startsWith('apply'));
    expect(applied.map(({ object }) => object?.metadata.resourceVersion)).toEqual(Array(6).fill('1'));
  });

  test('waits for what it has made to be seen, and no longer than a watch may take', async () => {
    stores.modelServices.set(service);
    await look();
    recording.calls.length = 0;
    const [first, ...rest] = childrenOf(service);
    put([first!]);
    expect(await look()).toEqual(expect.objectContaining({ kind: 'again', afterSeconds: 5 }));
    expect(recording.asked).toEqual([]);
    put(rest);
    await look();
    expect(recording.asked).not.toContainEqual(expect.stringMatching(/^apply/));
    stores.children.Service.remove(rest.find(({ kind }) => kind === 'Service')!);
    await look();
    expect(recording.asked).toContain('apply Service traffic');
    recording.calls.length = 0;
    await clock.advance(5);
    await look();
    expect(recording.asked).toContain('apply Service traffic');
  });

  test('at a service that is at rest asks and writes nothing', async () => {
    stores.modelServices.set(service);
    put(childrenOf(service));
    await look();
    const { status } = written();
    stores.modelServices.set({ ...service, ...(status ? { status } : {}) });
    recording.calls.length = 0;
    expect(await look()).toEqual({ kind: 'done' });
    expect(recording.asked).toEqual([]);
  });

  test('finds a stranger with a needed name, leaves it alone, and looks again', async () => {
    const stranger: KubeObject = {
      kind: 'Service',
      metadata: { name: 'traffic', namespace: 'city', uid: 'x' },
    };
    recording.existing.set('Service traffic', stranger);
    stores.modelServices.set(service);
    expect(await look()).toMatchObject({ kind: 'again', afterSeconds: 30 });
    expect(recording.asked.filter((what) => /Service traffic$/.test(what))).toEqual([
      'apply Service traffic',
      'get Service traffic',
      'status ModelService traffic',
    ]);
    expect(
      recording.calls.find(({ what }) => what === 'apply Service traffic')?.object?.metadata,
    ).toMatchObject({
      resourceVersion: '1',
    });
    expect(recording.asked).toContain('apply Deployment traffic');
    expect(written().status?.conditions?.[0]).toMatchObject({
      type: 'Ready',
      status: 'False',
      reason: 'NameConflict',
    });
  });

  test('an object of ours that the local copy does not show is seen as it is: its replicas stay', async () => {
    const scaling = serviceWith({ ...onCpu, autoscaling: { maxReplicas: 9 } });
    const children = childrenOf(scaling);
    const hidden = children.find(({ kind }) => kind === 'Deployment') as LiveObject & { spec: object };
    recording.existing.set('Deployment traffic', {
      ...hidden,
      spec: { ...hidden.spec, replicas: 7 },
    } as KubeObject);
    stores.modelServices.set(scaling);
    put(children.filter(({ kind }) => kind !== 'Deployment'));
    await look();
    expect(recording.asked).toEqual([
      'apply Deployment traffic',
      'get Deployment traffic',
      'status ModelService traffic',
    ]);
    expect(written().status?.readyOfWanted).toBe('0/7');
  });

  test('an API server that does not say what is in the way is asked again', async () => {
    recording.failures.set('apply Service traffic', failure('conflict'));
    recording.failures.set('get Service traffic', failure('retry'));
    stores.modelServices.set(service);
    expect(await look()).toMatchObject({ kind: 'again', afterSeconds: 5 });
    expect(written().status?.conditions?.[0]).toMatchObject({ type: 'Ready', reason: 'ApplyFailed' });
  });

  test('counts the GPUs of the cluster when a pod waits for one', async () => {
    const withGpu = serviceWith();
    stores.modelServices.set(withGpu);
    put(childrenOf(withGpu));
    const waiting: ObservedPod = {
      ...podOf(withGpu, { node: null }),
      status: {
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'm' }],
      },
    };
    stores.pods.set(waiting);
    stores.pods.set({
      kind: 'Pod',
      metadata: { name: 'q', namespace: 'ml', uid: 'q' },
      claim: { namespace: 'ml', user: 'llm', nodeName: 'n1', devices: { 'nvidia.com/gpu': 2 } },
    });
    const allocatable = { 'nvidia.com/gpu': '2' };
    const conditions = [{ type: 'Ready', status: 'True' }];
    stores.nodes.set(
      projectNode({ metadata: { name: 'n1', uid: 'n' }, status: { allocatable, conditions } } as KubeObject),
    );
    await look();
    expect(written().status?.conditions?.find(({ type }) => type === 'Scheduled')?.message).toBe(
      '1 of 3 replicas waits: no node has a free nvidia.com/gpu; 2 of 2 are used by ml/llm (2); scale one of them down or add a node',
    );
  });
});

describe('what is looked at when something changes', () => {
  const enqueued = (change: () => void) => {
    const keys = new Set<string>();
    const forAll: (() => void)[] = [];
    const end = connectTriggers(
      {
        stores,
        reports: registry,
        forAll: [
          (listener) => {
            forAll.push(listener);
            return () => {};
          },
        ],
      },
      (each) => keys.add(keyString(each)),
    );
    change();
    for (const listener of forAll) listener();
    end();
    return [...keys];
  };
  const childWith = (metadata: object): LiveObject => ({
    kind: 'Service',
    metadata: { name: 'c', namespace: 'city', uid: 'c', resourceVersion: String(Math.random()), ...metadata },
  });
  const owner = { apiVersion: 'x', kind: 'ModelService', name: 'owner', uid: 'o', controller: true };

  test('a service', () => {
    expect(enqueued(() => stores.modelServices.set(service))).toEqual(['city/traffic']);
  });

  test('the service that an object names by label or owner, before and after', () => {
    const labels = { 'aicity.io/service': 'labelled' };
    expect(
      enqueued(() => stores.children.Service.set(childWith({ labels, ownerReferences: [owner] }))),
    ).toEqual(['city/labelled', 'city/owner']);
    expect(
      enqueued(() => stores.children.Service.set(childWith({ labels: { 'aicity.io/service': 'other' } }))),
    ).toEqual(['city/labelled', 'city/owner', 'city/other']);
  });

  test('the service of a pod, and of a report', () => {
    const pod = podOf(service);
    expect(enqueued(() => stores.pods.set(pod))).toEqual(['city/traffic']);
    expect(enqueued(() => void registry.accept(reportFrom(pod, service).report))).toEqual(['city/traffic']);
  });

  test('pods of others and nodes concern nobody', () => {
    expect(enqueued(() => stores.pods.set({ kind: 'Pod', metadata: { name: 'x', namespace: 'y' } }))).toEqual(
      [],
    );
    expect(enqueued(() => stores.nodes.set(projectNode({ metadata: { name: 'n' } })))).toEqual([]);
  });

  test('all services, when something changes that all depend on', () => {
    stores.modelServices.set(service);
    expect(enqueued(() => {})).toEqual(['city/traffic']);
  });
});
