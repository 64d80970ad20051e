/** The few pod fields that a ModelService passes through to its pods, in Kubernetes' own shapes. */
import * as z from 'zod';
import { cel, mapList } from './cel.ts';

/** Kubernetes' own pattern of a quantity, without a sign: no amount of a resource is negative. */
const QUANTITY_PATTERN = '^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$';
const Quantity = z
  .union([z.int32(), z.string().max(64)])
  .meta({ pattern: QUANTITY_PATTERN, description: 'Kubernetes quantity, such as 500m or 2Gi.' });
const ResourceList = z.record(z.string().max(253), Quantity);

/**
 * Reserved when the user says nothing: enough for a small model on the CPU, and a base for the share that CPU
 * autoscaling measures. There is no memory limit by default, since a good one depends on the model; without it the
 * kubelet evicts by priority when the node runs short.
 */
export const DEFAULT_REQUESTS = { cpu: '500m', memory: '1Gi' } as const;

export const Resources = z
  .object({ requests: ResourceList.optional(), limits: ResourceList.optional() })
  .describe(
    `Requests and limits of the model-server container, as in a pod; GPUs belong in spec.gpu. Where neither is given, ${DEFAULT_REQUESTS.cpu} of cpu and ${DEFAULT_REQUESTS.memory} of memory are requested; nothing is limited by default.`,
  );

const ownKeys = (what: string) => ({
  maxProperties: 32,
  ...cel({
    rule: "self.all(key, !key.startsWith('aicity.io/') && !key.startsWith('app.kubernetes.io/'))",
    message: `keys under aicity.io/ and app.kubernetes.io/ are the operator's own; choose another prefix for the ${what}`,
  }),
});

const Toleration = z.object({
  key: z.string().max(317).optional(),
  operator: z.enum(['Exists', 'Equal', 'Lt', 'Gt']).optional(),
  value: z.string().max(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().optional(),
});

const EnvVar = z.object({
  name: z
    .string()
    .min(1)
    .max(256)
    .meta(
      cel({
        rule: "!self.startsWith('AICITY_')",
        message: "variables that start with AICITY_ are the operator's own",
      }),
    ),
  value: z.string().max(4096).optional(),
  valueFrom: z
    .looseObject({})
    .optional()
    .describe('secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef, as in a pod.'),
});

export const PodTemplate = z
  .object({
    labels: z.record(z.string().max(317), z.string().max(63)).meta(ownKeys('label')).optional(),
    annotations: z.record(z.string().max(317), z.string().max(16_384)).meta(ownKeys('annotation')).optional(),
    nodeSelector: z.record(z.string().max(317), z.string().max(63)).optional(),
    tolerations: z.array(Toleration).max(32).optional(),
    affinity: z
      .looseObject({})
      .optional()
      .describe('nodeAffinity, podAffinity and podAntiAffinity, as in a pod.'),
    priorityClassName: z.string().max(253).optional(),
    serviceAccountName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('An existing ServiceAccount to run as; by default one is made that may do nothing.'),
    env: z.array(EnvVar).max(64).meta(mapList('name')).optional(),
  })
  .describe('Additions to the pods. A change here replaces the pods.');
