/** Small worlds for tests of the plan: each builder makes something that works, and takes what differs. */
import { ANNOTATIONS, selectorLabels } from '../../../crds/labels.ts';
import type { LoadReport } from '../../../crds/load-report.ts';
import { type ModelService, ModelServiceSpec } from '../../../crds/model-service.ts';
import { modelRevision } from '../../../operator/plan/assignment.ts';
import type {
  Condition,
  ContainerStatus,
  Deployment,
  LiveObject,
  Pod,
} from '../../../operator/plan/cluster-objects.ts';
import type { GpuClaim, GpuNode, GpuSupply } from '../../../operator/plan/gpu-supply.ts';
import type { Observed, ObservedReport, Settings } from '../../../operator/plan/observed.ts';
import { plan } from '../../../operator/plan/plan.ts';
import { podTemplate } from '../../../operator/plan/pod-template.ts';
import { summarise } from '../../../operator/plan/status.ts';
import type { DesiredObject, Outcome, Step } from '../../../operator/plan/target.ts';

export const NOW = '2026-03-01T12:00:00Z';
export const secondsAgo = (seconds: number) =>
  `${new Date(Date.parse(NOW) - seconds * 1000).toISOString().slice(0, 19)}Z`;

export const settings: Settings = {
  operatorNamespace: 'aicity-system',
  operatorPort: 9443,
  reportUrl: 'https://aicity-operator.aicity-system.svc/v1/reports',
  reportAuthorities: 'PEM',
  image: 'aicity/model-server:1',
  gpuImage: 'aicity/model-server-gpu:1',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
};

type SpecInput = Partial<Parameters<typeof ModelServiceSpec.parse>[0] & object> & Record<string, unknown>;

/** A ModelService as the API server stores it: three replicas of one GPU each, and what `spec` says otherwise. */
export function serviceWith(spec: SpecInput = {}, more: Partial<ModelService> = {}): ModelService {
  return {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'ModelService',
    metadata: { name: 'traffic', namespace: 'city', uid: 'service-uid', generation: 1 },
    spec: ModelServiceSpec.parse({
      model: { uri: 'https://models.example/traffic/3' },
      replicas: 3,
      ...spec,
    }),
    ...more,
  };
}

export const onCpu = { gpu: { count: 0 } };

/** An empty cluster. */
export function observedWith(more: Partial<Observed> = {}): Observed {
  return {
    now: NOW,
    children: [],
    pods: [],
    reports: [],
    reportsSettled: true,
    gpus: { nodes: [], claims: [] },
    customMetrics: { kind: 'Ours' },
    settings,
    ...more,
  };
}

export const templateRevisionOf = (service: ModelService, its: Settings = settings) =>
  podTemplate(service, its).metadata.annotations[ANNOTATIONS.templateRevision]!;

export interface PodOptions {
  readonly name?: string;
  /** Made from the wanted template unless said otherwise. */
  readonly templateRevision?: string;
  readonly node?: string | null;
  readonly ready?: boolean;
  readonly readySince?: string;
  readonly deleting?: boolean;
  readonly phase?: string;
  readonly statusReason?: string;
  readonly statusMessage?: string;
  readonly conditions?: readonly Condition[];
  readonly container?: Omit<ContainerStatus, 'name'>;
  readonly serviceAccountName?: string;
}

/** A pod of the service: running and ready on node `n1`. */
export function podOf(service: ModelService, options: PodOptions = {}): Pod {
  const { name = 'traffic-a', node = 'n1', ready = node !== null, readySince = secondsAgo(300) } = options;
  const templateRevision = options.templateRevision ?? templateRevisionOf(service);
  const condition = (type: string, isTrue: boolean): Condition => ({
    type,
    status: isTrue ? 'True' : 'False',
    lastTransitionTime: readySince,
  });
  return {
    kind: 'Pod',
    metadata: {
      name,
      namespace: service.metadata.namespace,
      uid: `uid-${name}`,
      labels: selectorLabels(service.metadata.name),
      annotations: { [ANNOTATIONS.templateRevision]: templateRevision },
      creationTimestamp: secondsAgo(400),
      ...(options.deleting ? { deletionTimestamp: NOW } : {}),
    },
    spec: {
      ...(node === null ? {} : { nodeName: node }),
      serviceAccountName: options.serviceAccountName ?? `${service.metadata.name}-model`,
    },
    status: {
      phase: options.phase ?? (node === null ? 'Pending' : 'Running'),
      ...(options.statusReason ? { reason: options.statusReason } : {}),
      ...(options.statusMessage ? { message: options.statusMessage } : {}),
      conditions: [
        condition('Ready', ready),
        condition('PodScheduled', node !== null),
        ...(options.conditions ?? []),
      ].filter(({ type }, at, all) => all.findLastIndex((other) => other.type === type) === at),
      containerStatuses:
        node === null ? [] : [{ name: 'model-server', restartCount: 0, ...options.container }],
    },
  };
}

/** A pod that the scheduler finds no node for. */
export function waitingPod(
  service: ModelService,
  options: PodOptions & { words?: string; since?: string } = {},
): Pod {
  const { words = '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.', since = secondsAgo(20) } =
    options;
  return podOf(service, {
    ...options,
    node: null,
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: words,
        lastTransitionTime: since,
      },
    ],
  });
}

/** A fresh report of a replica that serves the wanted model at half load. */
export function reportFrom(
  pod: Pod,
  service: ModelService,
  more: Partial<LoadReport> = {},
  freshness: ObservedReport['freshness'] = 'Fresh',
): ObservedReport {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return {
    podUid: uid,
    freshness,
    report: {
      pod: { name, namespace, uid },
      service: service.metadata.name,
      sequence: 7,
      startedAt: 1,
      state: 'Serving',
      serving: {
        revision: modelRevision(service.spec.model),
        version: 3,
        format: 'SavedModel',
        digest: `sha256:${'a'.repeat(64)}`,
        lastInferenceAt: 2,
      },
      load: {
        busyShare: 0.5,
        queued: 1,
        inFlight: 1,
        queueTimeMilliseconds: 4,
        requestsPerSecond: 10,
        rejectedPerSecond: 0,
        windowSeconds: 10,
      },
      ...more,
    },
  };
}

export const gpuNode = (name: string, count: number, more: Partial<GpuNode> = {}): GpuNode => ({
  name,
  labels: {},
  taints: [],
  ready: true,
  usable: true,
  devices: count > 0 ? { 'nvidia.com/gpu': count } : {},
  ...more,
});

export const claim = (
  user: string,
  nodeName: string | undefined,
  count = 1,
  namespace = 'city',
): GpuClaim => ({
  namespace,
  user,
  devices: { 'nvidia.com/gpu': count },
  ...(nodeName === undefined ? {} : { nodeName }),
});

export const noGpus: GpuSupply = { nodes: [], claims: [] };

/** The world after the API server has accepted every step, from `before` on. Controllers have not acted yet. */
export function afterSteps(before: readonly LiveObject[], steps: readonly Step[]): LiveObject[] {
  const world = new Map(before.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
  for (const step of steps) {
    if (step.action === 'delete') world.delete(`${step.kind} ${step.name}`);
    if (step.action !== 'apply') continue;
    const key = `${step.object.kind} ${step.object.metadata.name}`;
    world.set(key, stored(step.object, world.get(key), step.handover?.replicas));
  }
  return [...world.values()];
}

let serial = 0;

/** As the API server would store it: with an identity, with the replicas that others own, and without empty fields. */
function stored(
  object: DesiredObject,
  before: LiveObject | undefined,
  handedOver: number | undefined,
): LiveObject {
  serial += 1;
  const copy = structuredClone(object) as DesiredObject & { spec?: Record<string, unknown> };
  const metadata = {
    ...copy.metadata,
    uid: before?.metadata.uid ?? `uid-${serial}`,
    resourceVersion: String(serial),
    creationTimestamp: before?.metadata.creationTimestamp ?? secondsAgo(500),
    generation: (before?.metadata.generation ?? 0) + 1,
  };
  const status = before && 'status' in before ? { status: before.status } : {};
  if (object.kind !== 'Deployment') return { ...copy, metadata, ...status };
  const replicas =
    copy.spec?.['replicas'] ?? handedOver ?? (before as Deployment | undefined)?.spec?.replicas ?? 1;
  return { ...copy, metadata, ...status, spec: { ...copy.spec, replicas } } as Deployment;
}

/** The objects of a service that has been planned and applied once, or often enough to be at rest. */
export function childrenOf(
  service: ModelService,
  its: Settings = settings,
  before: LiveObject[] = [],
): LiveObject[] {
  let children: LiveObject[] = before;
  for (let look = 0; look < 4; look += 1) {
    const { steps } = plan(service, observedWith({ children, settings: its }));
    if (steps.length === 0) return children;
    children = afterSteps(children, steps);
  }
  throw new Error('the plan does not come to rest');
}

/** Everything at rest: `count` replicas that serve. */
export function servingWorld(service: ModelService, count = service.spec.replicas): Observed {
  const pods = Array.from({ length: count }, (_, at) => podOf(service, { name: `traffic-${at}` }));
  return observedWith({
    children: childrenOf(service),
    pods,
    reports: pods.map((pod) => reportFrom(pod, service)),
  });
}

/** The status after one look at which every step succeeds. */
export function statusOf(
  service: ModelService,
  observed: Observed,
  outcomes?: (steps: readonly Step[]) => Outcome[],
) {
  const target = plan(service, observed);
  const all = outcomes?.(target.steps) ?? target.steps.map((step): Outcome => ({ kind: 'done', step }));
  const status = summarise(service, observed, target, all);
  const condition = (type: string) => status.conditions?.find((candidate) => candidate.type === type);
  return { status, condition, target };
}
