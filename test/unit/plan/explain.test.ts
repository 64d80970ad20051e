import { describe, expect, test } from '@jest/globals';
import type { Deployment, LiveObject, Pod } from '../../../operator/plan/cluster-objects.ts';
import type { GpuSupply } from '../../../operator/plan/gpu-supply.ts';
import type { Observed } from '../../../operator/plan/observed.ts';
import type { Outcome, Step } from '../../../operator/plan/target.ts';
import {
  childrenOf,
  claim,
  gpuNode,
  NOW,
  observedWith,
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
const [first, second, third] = world.pods as [Pod, Pod, Pod];

/** Two replicas serve; the third is `pod`. */
const withThird = (pod: Pod, more: Partial<Observed> = {}, its = service) => {
  const reports = [reportFrom(first, its), reportFrom(second, its)];
  return statusOf(its, { ...world, pods: [first, second, pod], reports, ...more });
};
const waiting = (reason: string, message?: string, image = 'aicity/model-server-gpu:1') => ({
  ready: false,
  container: { image, state: { waiting: { reason, ...(message ? { message } : {}) } } },
});
const crashed = (lastState: object, restartCount = 4) => ({
  ready: false,
  name: 'traffic-c',
  container: {
    restartCount,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: lastState },
  },
});
const deploymentWith = (status: Deployment['status']) =>
  world.children.map(
    (object): LiveObject => (object.kind === 'Deployment' ? ({ ...object, status } as Deployment) : object),
  );
/** The third pod of a service with this pod template is refused. */
const refused = (message: string, podTemplate: object) =>
  statusOf(serviceWith({ podTemplate }), {
    ...world,
    pods: [first, second],
    children: deploymentWith({ conditions: [{ type: 'ReplicaFailure', status: 'True', message }] }),
  });
const gpus = (claims: GpuSupply['claims'], nodes = [gpuNode('n1', 4), gpuNode('n2', 4)]) => ({
  gpus: { nodes, claims },
});
const outcome = (kind: string, at: (step: Step) => boolean, message: string) => (steps: readonly Step[]) =>
  steps.map((step) => ({ kind: at(step) ? kind : 'done', step, message }) as Outcome);

describe('the deepest cause', () => {
  const busy = [claim('speech', 'n1', 4), claim('speech', 'n2', 2), claim('image', 'n2', 2)];
  const error = (reason: string, message: string) => ({
    state: 'Failed' as const,
    serving: undefined,
    error: { revision: reportFrom(first, service).report.serving!.revision, reason, message },
  });

  test.each<[string, () => ReturnType<typeof statusOf>, string, string | RegExp]>([
    [
      'an image that cannot be pulled',
      () => withThird(podOf(service, waiting('ImagePullBackOff', 'Back-off pulling image "x": not found'))),
      'ImagePullFailed',
      '1 of 3 replicas cannot start: the image aicity/model-server-gpu:1 cannot be pulled (Back-off pulling image "x": not found); check its name and whether the node may pull it',
    ],
    [
      'an invalid image name, without words of the kubelet',
      () => withThird(podOf(service, waiting('InvalidImageName'))),
      'ImagePullFailed',
      /cannot be pulled \(InvalidImageName\)/,
    ],
    [
      'a missing Secret',
      () => withThird(podOf(service, waiting('CreateContainerConfigError', 'secret "keys" not found'))),
      'ContainerConfigInvalid',
      /the kubelet refuses the container \(secret "keys" not found\); check spec\.podTemplate/,
    ],
    [
      'a crash loop',
      () => withThird(podOf(service, crashed({ exitCode: 3, reason: 'Error', message: 'no such file\n' }))),
      'CrashLoop',
      '1 of 3 replicas keeps exiting with exit code 3 (4 restarts of pod traffic-c): no such file; kubectl logs --previous traffic-c shows its last words',
    ],
    [
      'a signal',
      () => withThird(podOf(service, crashed({ exitCode: 134, signal: 6 }))),
      'CrashLoop',
      /with signal 6 /,
    ],
    [
      'too little memory, with a limit',
      () => {
        const limited = serviceWith({ resources: { limits: { memory: '1Gi' } } });
        return withThird(
          podOf(limited, crashed({ exitCode: 137, reason: 'OOMKilled' })),
          { children: childrenOf(limited) },
          limited,
        );
      },
      'OutOfMemory',
      '1 of 3 replicas was killed for using too much memory; raise spec.resources.limits.memory, which is 1Gi',
    ],
    [
      'too little memory on the node',
      () => withThird(podOf(service, crashed({ exitCode: 137, reason: 'OOMKilled' }))),
      'OutOfMemory',
      /the node ran out of memory, so set spec\.resources\.requests\.memory/,
    ],
    [
      'no free GPU',
      () => withThird(waitingPod(service), gpus(busy)),
      'InsufficientGPU',
      '1 of 3 replicas waits: no node has a free nvidia.com/gpu; 8 of 8 are used by speech (6), image (2); scale one of them down or add a node',
    ],
    [
      'GPUs of another namespace',
      () => withThird(waitingPod(service), gpus([claim('llm', 'n1', 4, 'ml'), claim('llm', 'n2', 4, 'ml')])),
      'InsufficientGPU',
      /used by ml\/llm \(8\); scale one of them down or add a node$/,
    ],
    [
      'no node with that many',
      () => {
        const large = serviceWith({ gpu: { count: 4 } });
        return withThird(
          waitingPod(large),
          { ...gpus([claim('a', 'n1', 1), claim('b', 'n2', 3)]), children: childrenOf(large) },
          large,
        );
      },
      'InsufficientGPU',
      /no node has 4 free nvidia\.com\/gpu; 4 of 8 are used by b \(3\), a \(1\); scale one of them down or add a node$/,
    ],
    [
      'more GPUs than any node has',
      () => {
        const huge = serviceWith({ gpu: { count: 16 } });
        return withThird(waitingPod(huge), { ...gpus([]), children: childrenOf(huge) }, huge);
      },
      'InsufficientGPU',
      '1 of 3 replicas waits: no node has 16 nvidia.com/gpu, the largest has 4; lower spec.gpu.count',
    ],
    [
      'no GPU node at all',
      () => withThird(waitingPod(service), gpus([], [gpuNode('n1', 0, { devices: { 'amd.com/gpu': 2 } })])),
      'InsufficientGPU',
      /no node offers nvidia\.com\/gpu \(they offer amd\.com\/gpu\); install its device plugin, choose another spec\.gpu\.resource, or set spec\.gpu\.count to 0/,
    ],
    [
      'no GPU node with the labels',
      () => {
        const picky = serviceWith({ gpu: { nodeSelector: { zone: 'porto' } } });
        return withThird(waitingPod(picky), { ...gpus([]), children: childrenOf(picky) }, picky);
      },
      'InsufficientGPU',
      /none of the 2 nodes that offer nvidia\.com\/gpu is usable with zone=porto: check labels, taints/,
    ],
    [
      'a tainted GPU node',
      () =>
        withThird(
          waitingPod(service),
          gpus([], [gpuNode('n1', 4, { taints: [{ key: 'spot', effect: 'NoSchedule' }] })]),
        ),
      'InsufficientGPU',
      /none of the 1 nodes/,
    ],
    [
      "no node for another reason, in the scheduler's words",
      () =>
        withThird(waitingPod(service, { words: '0/2 nodes are available: 2 Insufficient cpu.' }), gpus([])),
      'Unschedulable',
      '1 of 3 replicas waits: the scheduler finds no node (0/2 nodes are available: 2 Insufficient cpu); for nodes without room, lower spec.resources.requests or add nodes',
    ],
    [
      "no node, in words that are the scheduler's alone",
      () => withThird(waitingPod(service, { words: 'Too many pods.' }), gpus([])),
      'Unschedulable',
      '1 of 3 replicas waits: the scheduler finds no node (Too many pods)',
    ],
    [
      'no node with the labels',
      () => {
        const picky = serviceWith({
          gpu: { nodeSelector: { model: 'H100' } },
          podTemplate: { nodeSelector: { zone: 'moon' } },
        });
        const words = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        return withThird(
          waitingPod(picky, { words }),
          {
            ...gpus([], [gpuNode('n1', 4, { labels: { model: 'H100', zone: 'moon' } })]),
            children: childrenOf(picky),
          },
          picky,
        );
      },
      'Unschedulable',
      /\); label a node as spec\.podTemplate\.nodeSelector and spec\.gpu\.nodeSelector ask, or correct them$/,
    ],
    [
      'a claim that is not there, and a taint',
      () => {
        const stored = serviceWith({ model: { uri: 'pvc://models/traffic' } });
        const words =
          '0/2 nodes are available: persistentvolumeclaim "models" not found, 1 node(s) had untolerated taint {a: b}';
        return withThird(
          waitingPod(stored, { words }),
          { ...gpus([]), children: childrenOf(stored) },
          stored,
        );
      },
      'Unschedulable',
      /; the model is on a volume: .*correct spec\.model\.uri, which is pvc:\/\/models\/traffic; for nodes with taints, add spec\.podTemplate\.tolerations$/,
    ],
    [
      'a node that is gone',
      () => {
        const nodes = [gpuNode('n1', 4), gpuNode('n2', 4, { ready: false, usable: false })];
        return withThird(podOf(service, { node: 'n2', ready: false }), gpus([], nodes));
      },
      'ReplicasUnknown',
      '1 of 3 replicas is on a node that is not ready (n2); others take over when Kubernetes gives the node up',
    ],
    [
      'a quota',
      () =>
        statusOf(service, {
          ...world,
          pods: [first, second],
          children: deploymentWith({
            conditions: [
              {
                type: 'ReplicaFailure',
                status: 'True',
                message: 'pods "x" is forbidden: exceeded quota: team, requested: requests.cpu=500m',
              },
            ],
          }),
        }),
      'QuotaExceeded',
      /^1 of 3 replicas cannot be created: pods "x" is forbidden: exceeded quota: team.*; raise the quota/,
    ],
    [
      'an account that is not there',
      () => refused('serviceaccount "theirs" not found', { serviceAccountName: 'theirs' }),
      'PodsRefused',
      '1 of 3 replicas cannot be created: serviceaccount "theirs" not found; create the ServiceAccount, or correct spec.podTemplate.serviceAccountName, which is theirs',
    ],
    [
      'a priority class that is not there',
      () => refused('no PriorityClass with name high was found', { priorityClassName: 'high' }),
      'PodsRefused',
      /was found; create the PriorityClass, or correct spec\.podTemplate\.priorityClassName, which is high$/,
    ],
    [
      'pods that are refused otherwise',
      () => refused('serviceaccount "traffic" not found', {}),
      'PodsRefused',
      /"traffic" not found; check spec\.podTemplate and what the namespace and its admission webhooks allow$/,
    ],
    [
      'a model that is not there',
      () => {
        const pods = world.pods.map((pod) => ({ ...pod, status: { ...pod.status, conditions: [] } }));
        const reports = pods.map((pod) =>
          reportFrom(
            pod,
            service,
            error('SourceNotFound', 'HTTP 404: upload it or correct the address.') as never,
          ),
        );
        return statusOf(service, { ...world, pods, reports });
      },
      'SourceNotFound',
      '3 of 3 replicas cannot serve spec.model.uri https://models.example/traffic/3: HTTP 404: upload it or correct the address',
    ],
    [
      'a new model that fails while the earlier one serves',
      () => {
        const earlier = {
          ...error('DigestMismatch', 'found sha256:1'),
          state: 'Serving' as const,
          serving: { ...reportFrom(first, service).report.serving!, revision: 'earlier000' },
        };
        return statusOf(service, {
          ...world,
          reports: world.pods.map((pod) => reportFrom(pod, service, earlier as never)),
        });
      },
      'DigestMismatch',
      /found sha256:1; 3 replicas still serve the earlier model$/,
    ],
    [
      'reports that have stopped',
      () =>
        statusOf(service, {
          ...world,
          reports: [...world.reports.slice(0, 2), reportFrom(third, service, {}, 'Stale')],
        }),
      'ReplicasUnknown',
      '1 of 3 replicas does not report (traffic-2), so its health is not known; check that https://aicity-operator.aicity-system.svc/v1/reports can be reached from the pod',
    ],
    [
      'an account that was made anew, so that tokens are refused',
      () =>
        statusOf(service, {
          ...world,
          reports: world.reports.slice(0, 2),
          children: world.children.map((object) =>
            object.kind === 'ServiceAccount'
              ? { ...object, metadata: { ...object.metadata, creationTimestamp: secondsAgo(60) } }
              : object,
          ),
        }),
      'ReplicasUnknown',
      '1 of 3 replicas does not report (traffic-2), so its health is not known; ServiceAccount traffic-model was deleted and made anew, so reports are refused until the kubelet renews the tokens, within 10 minutes; delete the pods to have it sooner',
    ],
    [
      'a ready pod that never reports',
      () => withThird(podOf(service, { name: 'silent', readySince: secondsAgo(30) })),
      'ReplicasUnknown',
      /\(silent\)/,
    ],
    [
      'a pod that has just become ready',
      () => withThird(podOf(service, { readySince: secondsAgo(3) })),
      'PodsStarting',
      '1 of 3 replicas is starting',
    ],
    [
      'a pod that is not there yet',
      () => statusOf(service, { ...world, pods: [first, second] }),
      'PodsStarting',
      '1 of 3 replicas is about to be created',
    ],
    [
      'a replica that loads',
      () => {
        const pod = podOf(service, { name: 'traffic-2', ready: false });
        const reports = [
          ...world.reports.slice(0, 2),
          reportFrom(pod, service, { state: 'Loading', serving: undefined } as never),
        ];
        return withThird(pod, { reports });
      },
      'ModelLoading',
      '1 of 3 replicas loads the wanted model',
    ],
    [
      'a volume that cannot be mounted',
      () =>
        withThird(podOf(service, { ...waiting('ContainerCreating'), name: 'c', readySince: secondsAgo(90) })),
      'PodsStarting',
      '1 of 3 replicas has a node but no container for more than a minute; kubectl describe pod c says what it waits for, mostly a volume or a claim',
    ],
    [
      'a container that is being made',
      () => withThird(podOf(service, { ...waiting('ContainerCreating'), readySince: secondsAgo(20) })),
      'PodsStarting',
      '1 of 3 replicas is starting',
    ],
    [
      'evictions',
      () => {
        const gone = podOf(service, {
          name: 'gone',
          phase: 'Failed',
          statusReason: 'Evicted',
          statusMessage: 'Usage of EmptyDir volume "cache" exceeds the limit "20Gi". ',
        });
        return statusOf(service, { ...world, pods: [first, second, gone] });
      },
      'CrashLoop',
      '1 pod was evicted from the node: Usage of EmptyDir volume "cache" exceeds the limit "20Gi"',
    ],
    [
      'an address that was accepted once',
      () => {
        const old = { ...service, spec: { ...service.spec, model: { uri: 'gopher://x/m' } } };
        return statusOf(old, observedWith());
      },
      'InvalidSpec',
      /^spec\.model\.uri is "gopher:\/\/x\/m": expected https:/,
    ],
    [
      'an object that the API server refuses',
      () =>
        statusOf(
          service,
          { ...world, children: [] },
          outcome(
            'terminal',
            (step) => step.action === 'apply' && step.object.kind === 'Deployment',
            'spec.x: Invalid value: "y"',
          ),
        ),
      'InvalidSpec',
      'Deployment city/traffic is refused: spec.x: Invalid value: "y"; correct the field of the ModelService that it comes from',
    ],
    [
      'an API server that is away',
      () =>
        statusOf(
          service,
          { ...world, pods: [], children: [] },
          outcome('retry', () => true, 'connect ECONNREFUSED'),
        ),
      'ApplyFailed',
      /^ConfigMap city\/traffic-model could not be written: connect ECONNREFUSED; the operator tries again$/,
    ],
  ])('%s', (_what, status, reason, message) => {
    const ready = status().condition('Ready')!;
    expect(ready.reason).toBe(reason);
    if (typeof message === 'string') expect(ready.message).toBe(message);
    else expect(ready.message).toMatch(message);
    const isSilent = ready.message.includes('not report');
    expect(ready.status).toBe(isSilent ? 'Unknown' : 'False');
  });

  test('comes before what follows from it: a crash before silence, an image before both', () => {
    const pods = [
      first,
      podOf(service, crashed({ exitCode: 1 })),
      podOf(service, { ...waiting('ErrImagePull'), name: 'i' }),
    ];
    expect(statusOf(service, { ...world, pods, reports: [] }).condition('Ready')?.reason).toBe(
      'ImagePullFailed',
    );
    expect(
      statusOf(service, { ...world, pods: pods.slice(0, 2), reports: [] }).condition('Ready')?.reason,
    ).toBe('CrashLoop');
  });

  test('a replica that has come back after a crash and reports speaks for itself', () => {
    const pod = podOf(service, {
      name: 'back',
      ready: false,
      container: {
        restartCount: 5,
        state: { running: { startedAt: NOW } },
        lastState: { terminated: { exitCode: 1 } },
      },
    });
    const reports = [
      ...world.reports.slice(0, 2),
      reportFrom(pod, service, { state: 'Loading', serving: undefined } as never),
    ];
    expect(withThird(pod, { reports }).condition('Ready')?.reason).toBe('ModelLoading');
  });
});
