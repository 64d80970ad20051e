/**
 * What can be set in the chart `aicity-operator`. `values.yaml`, `values.schema.json` and docs/chart-values.md are
 * generated from here, so that Helm itself refuses a wrong or misspelt value.
 */
import { z } from 'zod';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
/** A host with a port if any, a path, then a tag or a digest or both. A reference without either would float. */
const IMAGE =
  /^([a-z0-9.-]+:[0-9]{1,5}\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$/;
const REGISTRY = /^([A-Za-z0-9.-]+(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*)?$/;

const image = (reference: string, what: string) =>
  z.string().max(512).regex(IMAGE).default(reference).describe(what);
const stringMap = () => z.record(z.string().max(317), z.string());
const quantity = () => z.union([z.string().max(64), z.int()]);
const quantities = () => z.record(z.string().max(253), quantity());

const Images = (version: string) =>
  z
    .strictObject({
      registry: z
        .string()
        .max(255)
        .regex(REGISTRY)
        .default('')
        .describe('Registry, with a path if any, put before the three names: registry.example.org/mirror.'),
      operator: image(`aicity/operator:${version}`, 'The operator.'),
      modelServer: image(
        `aicity/model-server:${version}`,
        'Given to model services without a GPU; a change replaces their pods.',
      ),
      modelServerGpu: image(
        `aicity/model-server-gpu:${version}`,
        'Given to model services with a GPU; a change replaces their pods.',
      ),
      pullPolicy: z
        .enum(['Always', 'IfNotPresent', 'Never'])
        .default('IfNotPresent')
        .describe('For all three images; a change replaces the pods of models.'),
      pullSecrets: z
        .array(z.string().max(253).regex(NAME))
        .default([])
        .describe(
          'Names of Secrets with registry credentials, in this namespace and in every namespace that runs models; a change replaces the pods of models.',
        ),
    })
    .prefault({});

const MetricsAdapter = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        'Serve the reported load as custom.metrics.k8s.io, for autoscaling on Load and QueueTime. Turn it off when another adapter is to serve that group.',
      ),
  })
  .prefault({});

const NetworkPolicy = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Limit the operator to DNS and the API server, and its callers to its three ports.'),
    apiServerPorts: z
      .array(z.int().min(1).max(65_535))
      .min(1)
      .default([443, 6443, 8443, 16443])
      .describe('Ports at which API servers listen; narrow it to the one of this cluster.'),
  })
  .prefault({});

const PodMonitor = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Make a PodMonitor for the Prometheus operator, whose CRDs must be there.'),
    intervalSeconds: z.int().min(1).max(3600).default(30).describe('Time between two scrapes.'),
    labels: stringMap().default({}).describe('Labels by which your Prometheus chooses its monitors.'),
  })
  .prefault({});

/** @param version of the images that the chart installs unless told otherwise. */
export const chartValues = (version: string) =>
  z.strictObject({
    replicas: z
      .int()
      .min(1)
      .max(9)
      .default(2)
      .describe('Pods of the operator. One leads; the others take over within seconds.'),
    images: Images(version),
    metricsAdapter: MetricsAdapter,
    logLevel: z.enum(LOG_LEVELS).default('info').describe('What the operator logs.'),
    resources: z
      .strictObject({
        requests: quantities()
          .default({ cpu: '100m', memory: '128Mi' })
          .describe('Reserved for each pod of the operator.'),
        limits: quantities()
          .default({ memory: '512Mi' })
          .describe('What each pod of the operator may use at most.'),
      })
      .prefault({}),
    priorityClassName: z
      .union([z.literal(''), z.string().max(253).regex(NAME)])
      .default('')
      .describe('Priority of the pods of the operator, such as system-cluster-critical.'),
    nodeSelector: stringMap().default({}).describe('Nodes on which the operator may run.'),
    tolerations: z
      .array(z.looseObject({}))
      .default([])
      .describe('Taints that the operator tolerates, as in a pod.'),
    affinity: z
      .looseObject({})
      .default({})
      .describe('Affinity as in a pod. Empty: the replicas prefer different nodes.'),
    labels: stringMap().default({}).describe('Labels added to every object of the chart.'),
    podAnnotations: stringMap().default({}).describe('Annotations of the pods of the operator.'),
    networkPolicy: NetworkPolicy,
    podMonitor: PodMonitor,
    global: z.looseObject({}).optional().describe('Set by Helm when this chart is part of another.'),
  });
export type ChartValues = z.infer<ReturnType<typeof chartValues>>;
