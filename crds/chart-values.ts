/**
 * What can be set in the chart `aicity-operator`. `values.yaml`, `values.schema.json` and docs/chart-values.md are
 * generated from here, so that Helm itself refuses a wrong or misspelt value.
 */
import * as z from 'zod';
import { OBJECT_NAME } from './names.ts';
import { CITY_NAME, MAX_CITY_NAME_LENGTH } from './region.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const NAME = new RegExp(OBJECT_NAME);
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
        .describe(
          'Registry, with a path if any, put before the three names: registry.example.org/mirror; a change replaces the pods of models.',
        ),
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

/** A service that is reached from elsewhere: no path, query or user. */
const SERVER = /^https:\/\/([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?\/?$/;
const URL_LIKE = /^https?:\/\/[^\s"'\\]+$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const emptyOr = <T extends z.ZodType>(schema: T) => z.union([z.literal(''), schema]);

const Hub = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe(
        'Make this cluster a hub: ModelServices with spec.placement are split over the cities that dial in.',
      ),
  })
  .prefault({});

const City = z
  .strictObject({
    name: emptyOr(z.string().max(MAX_CITY_NAME_LENGTH).regex(CITY_NAME))
      .default('')
      .describe('Make this cluster a city of a hub, under the name that its CityCluster has there.'),
    address: emptyOr(z.string().max(512).regex(URL_LIKE))
      .default('')
      .describe(
        'URL at which other cities can look whether this one is there. Services of type NodePort are published with its host.',
      ),
    endpointTemplate: emptyOr(z.string().max(512).regex(URL_LIKE))
      .default('')
      .describe(
        'URL of a service for clients outside, with {name} and {namespace} in it, where a gateway of yours leads to the services.',
      ),
    peerPorts: z
      .array(z.int().min(1).max(65_535))
      .min(1)
      .default([80, 443, 8443])
      .describe(
        'Ports of the addresses of other cities, to which the network policy lets the operator through.',
      ),
    hub: z
      .strictObject({
        kubeconfigSecret: emptyOr(z.string().max(253).regex(NAME))
          .default('')
          .describe(
            'Secret in this namespace whose key kubeconfig leads to the hub, in place of the three values below; the port of the hub must be among networkPolicy.apiServerPorts.',
          ),
        server: emptyOr(z.string().max(512).regex(SERVER))
          .default('')
          .describe("URL of the hub's API server as the city reaches it: https://hub.example.org:6443."),
        caData: emptyOr(z.string().regex(BASE64))
          .default('')
          .describe(
            "The hub's certificate authority in base64, as in a kubeconfig. Empty: the authorities that everybody trusts.",
          ),
        token: emptyOr(
          z
            .string()
            .max(16_384)
            .regex(/^[A-Za-z0-9._~+/-]+=*$/),
        )
          .default('')
          .describe("The city's token, from Secret city-token in its namespace on the hub."),
      })
      .prefault({}),
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
    hub: Hub,
    city: City,
    global: z.looseObject({}).optional().describe('Set by Helm when this chart is part of another.'),
  });
export type ChartValues = z.infer<ReturnType<typeof chartValues>>;
