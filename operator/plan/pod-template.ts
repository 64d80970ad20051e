/**
 * The pod template. It follows from the user's fields and the pinned image alone, byte for byte: an upgrade of the
 * operator that keeps the image must not restart a single model.
 */
import { ANNOTATIONS, selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { GRPC_PORT, HTTP_PORT, POD_ENV, POD_PATHS } from '../../crds/pod-contract.ts';
import { modelComesWithPod, modelRevision } from './assignment.ts';
import { fingerprint } from './canonical-json.ts';
import { childLabels } from './child.ts';
import { containerResources } from './container-resources.ts';
import { serviceAccountName } from './names.ts';
import type { Settings } from './observed.ts';
import { nodeSelectorOf, tolerationsOf, topologySpread } from './pod-placement.ts';
import { podVolumes } from './pod-volumes.ts';
import { GRPC_PORT_NAME, HTTP_PORT_NAME } from './ports.ts';
import { PRE_STOP_SECONDS, PROBES, TERMINATION_GRACE_SECONDS } from './probes.ts';

export const CONTAINER_NAME = 'model-server';

/** User and group of the images; no file in the container needs to be theirs. */
const NON_ROOT_ID = 65_532;

type Fields = Readonly<Record<string, unknown>>;

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: Fields;
}

/** The template, with its own identity as an annotation, by which up-to-date pods are told from older ones. */
export function podTemplate(service: ModelService, settings: Settings): PodTemplate {
  const { podTemplate: user, rollout, model } = service.spec;
  const labels = {
    ...user?.labels,
    ...childLabels(service.metadata.name),
    ...selectorLabels(service.metadata.name),
  };
  const annotations = {
    ...user?.annotations,
    ...(modelComesWithPod(rollout.strategy) ? { [ANNOTATIONS.modelRevision]: modelRevision(model) } : {}),
  };
  const spec = podSpec(service, settings);
  const revision = fingerprint({ labels, annotations, spec });
  return {
    metadata: { labels, annotations: { ...annotations, [ANNOTATIONS.templateRevision]: revision } },
    spec,
  };
}

function podSpec(service: ModelService, settings: Settings): Fields {
  const { podTemplate: user = {} } = service.spec;
  const { volumes, volumeMounts } = podVolumes(service);
  return {
    serviceAccountName: serviceAccountName(service),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: TERMINATION_GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: NON_ROOT_ID,
      runAsGroup: NON_ROOT_ID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...given(
      'imagePullSecrets',
      settings.imagePullSecrets.map((name) => ({ name })),
    ),
    ...given('nodeSelector', nodeSelectorOf(service.spec)),
    ...given('tolerations', tolerationsOf(service.spec)),
    ...given('affinity', user.affinity ?? {}),
    ...(user.priorityClassName ? { priorityClassName: user.priorityClassName } : {}),
    topologySpreadConstraints: topologySpread(service),
    containers: [{ ...modelServer(service, settings), volumeMounts }],
    volumes,
  };
}

function modelServer(service: ModelService, settings: Settings): Fields {
  const { gpu, podTemplate: user = {} } = service.spec;
  return {
    name: CONTAINER_NAME,
    image: gpu.count > 0 ? settings.gpuImage : settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    ports: [
      { name: HTTP_PORT_NAME, containerPort: HTTP_PORT, protocol: 'TCP' },
      { name: GRPC_PORT_NAME, containerPort: GRPC_PORT, protocol: 'TCP' },
    ],
    env: [...environment(service, settings), ...(user.env ?? [])],
    resources: containerResources(service.spec),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    ...PROBES,
    lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
  };
}

function environment({ metadata }: ModelService, { reportUrl }: Settings): Fields[] {
  const value = (name: string, text: string) => ({ name, value: text });
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    value(POD_ENV.service, metadata.name),
    value(POD_ENV.assignmentFile, POD_PATHS.assignmentFile),
    value(POD_ENV.cacheDirectory, POD_PATHS.cacheDirectory),
    value(POD_ENV.reportUrl, reportUrl),
    value(POD_ENV.reportCaFile, POD_PATHS.caFile),
    value(POD_ENV.reportTokenFile, POD_PATHS.tokenFile),
    field(POD_ENV.podName, 'metadata.name'),
    field(POD_ENV.podNamespace, 'metadata.namespace'),
    field(POD_ENV.podUid, 'metadata.uid'),
  ];
}

/** A field that is left out when there is nothing in it. */
function given(name: string, value: object): Fields {
  return Object.keys(value).length === 0 ? {} : { [name]: value };
}
