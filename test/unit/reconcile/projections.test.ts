import { describe, expect, test } from '@jest/globals';
import type { UntypedObject } from '../../../operator/kube/objects.ts';
import { projectNode } from '../../../operator/reconcile/node-projection.ts';
import { projectPod } from '../../../operator/reconcile/pod-projection.ts';

const container = (limits: object, requests = {}) => ({
  name: 'c',
  env: [{ name: 'SECRET' }],
  resources: { limits, requests },
});
const pod = (
  more: { labels?: object; containers?: object[]; phase?: string; nodeName?: string } = {},
): UntypedObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'city', uid: 'u', resourceVersion: '5', labels: { ...more.labels } },
  spec: {
    nodeName: more.nodeName,
    serviceAccountName: 'sa',
    containers: more.containers ?? [],
    volumes: [{}],
  },
  status: {
    phase: more.phase ?? 'Running',
    podIP: '10.0.0.1',
    containerStatuses: [{ name: 'c', imageID: 'x', restartCount: 1, state: { running: {} } }],
  },
});
const ours = { 'app.kubernetes.io/managed-by': 'aicity-operator', 'aicity.io/service': 'traffic' };

describe('a pod', () => {
  test('of ours keeps what explains it, and no more', () => {
    expect(projectPod(pod({ labels: ours, nodeName: 'n1' }))).toEqual({
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'city', uid: 'u', resourceVersion: '5', labels: ours },
      spec: { nodeName: 'n1', serviceAccountName: 'sa' },
      status: {
        phase: 'Running',
        containerStatuses: [{ name: 'c', restartCount: 1, state: { running: {} } }],
      },
    });
  });

  test('of somebody else keeps its identity', () => {
    expect(projectPod(pod({ labels: { app: 'web' } }))).toEqual({
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'city', uid: 'u', resourceVersion: '5' },
    });
  });

  test.each([
    ['by its service', { labels: ours }, 'traffic'],
    ['by its application', { labels: { 'app.kubernetes.io/name': 'llm', app: 'x' } }, 'llm'],
    ['by its old-style label', { labels: { app: 'web' } }, 'web'],
    ['by its name', {}, 'p'],
  ])('that holds GPUs is known %s', (_what, more, user) => {
    const containers = [container({ 'nvidia.com/gpu': '2', cpu: '4' }), container({ 'nvidia.com/gpu': 1 })];
    expect(projectPod(pod({ ...more, containers, nodeName: 'n1' })).claim).toEqual({
      namespace: 'city',
      user,
      nodeName: 'n1',
      devices: { 'nvidia.com/gpu': 3 },
    });
  });

  test('that waits claims without a node; one that has ended claims nothing', () => {
    const containers = [container({}, { 'nvidia.com/gpu': '1' })];
    expect(projectPod(pod({ containers })).claim).toEqual({
      namespace: 'city',
      user: 'p',
      devices: { 'nvidia.com/gpu': 1 },
    });
    expect(projectPod(pod({ containers, phase: 'Succeeded' })).claim).toBeUndefined();
    expect(projectPod(pod({ containers, phase: 'Failed' })).claim).toBeUndefined();
  });
});

describe('a node', () => {
  const node = (spec: object, ready: string): UntypedObject => ({
    metadata: {
      name: 'n1',
      uid: 'u',
      resourceVersion: '1',
      labels: { zone: 'a' },
      annotations: { large: 'x' },
    },
    spec,
    status: {
      allocatable: { cpu: '8', memory: '32Gi', 'nvidia.com/gpu': '8', 'hugepages-2Mi': '0' },
      conditions: [{ type: 'Ready', status: ready }],
      images: [{}],
    },
  });

  test('keeps its devices, labels and taints', () => {
    const taints = [{ key: 'k', effect: 'NoSchedule' }];
    expect(projectNode(node({ taints }, 'True'))).toEqual({
      metadata: { name: 'n1', uid: 'u', resourceVersion: '1' },
      node: {
        name: 'n1',
        labels: { zone: 'a' },
        taints,
        ready: true,
        usable: true,
        devices: { 'nvidia.com/gpu': 8 },
      },
      offers: { cpu: 8, memory: 32 * 2 ** 30, 'nvidia.com/gpu': 8 },
    });
  });

  test.each([
    ['cordoned', { unschedulable: true }, 'True'],
    ['not ready', {}, 'False'],
    ['not heard of', {}, 'Unknown'],
  ])('that is %s is of no use', (_what, spec, ready) => {
    expect(projectNode(node(spec, ready)).node.usable).toBe(false);
  });
});
