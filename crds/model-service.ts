/**
 * The ModelService custom resource: the contract with its users. The CRD, the API reference and the TypeScript types
 * all come from here (`npm run generate`). Rules that need more than a type are CEL, so that `kubectl apply` itself
 * refuses bad input with a sentence.
 */
import * as z from 'zod';
import { Autoscaling } from './autoscaling.ts';
import { cel } from './cel.ts';
import { ConditionList } from './condition-list.ts';
import type { ServiceCondition } from './conditions.ts';
import { MODEL_URI_EXPECTED, MODEL_URI_PATTERN } from './model-uri.ts';
import { OBJECT_NAME } from './names.ts';
import { Placement, PlacementDecision } from './placement.ts';
import { PlacementRecord } from './placement-record.ts';
import { PodTemplate, Resources } from './pod-fields.ts';
import { ServiceExposure } from './service-exposure.ts';

export const GROUP = 'aicity.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export const MODEL_FORMATS = ['SavedModel', 'TFJSGraph', 'TFJSLayers'] as const;
export type ModelFormat = (typeof MODEL_FORMATS)[number];

export const ROLLOUT_STRATEGIES = ['Auto', 'Reload', 'Surge', 'InPlace'] as const;
export type RolloutStrategy = (typeof ROLLOUT_STRATEGIES)[number];

const CREDENTIAL_KEYS =
  's3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and where they apply AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL. gs: GOOGLE_APPLICATION_CREDENTIALS, the JSON key of a service account. https: token, or username and password. oci: .dockerconfigjson.';

export const ModelSource = z
  .object({
    uri: z
      .string()
      .min(1)
      .max(1024)
      .meta(
        cel({
          rule: `self.matches(r'${MODEL_URI_PATTERN}')`,
          message: `no model address that can be fetched: ${MODEL_URI_EXPECTED}`,
        }),
      )
      .describe(
        'Address of one model, or of a directory with TensorFlow Serving version directories (…/3/): https://, http://, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, oci://REGISTRY/REPOSITORY:TAG (or @sha256:…), pvc://CLAIM/PATH, file:///PATH (a path in the model-server image). Over http a directory cannot be listed, so give the model itself or spec.model.version.',
      ),
    format: z.enum(MODEL_FORMATS).optional().describe('Detected from the files when absent.'),
    version: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe(
        'Version directory to serve. Absent: the highest number, or the address itself when it is one model.',
      ),
    digest: z
      .string()
      .max(71)
      .meta(
        cel({
          rule: "self.matches('^sha256:[0-9a-f]{64}$')",
          message: 'expected sha256: and 64 lower-case hexadecimal digits',
        }),
      )
      .optional()
      .describe(
        'Pins the content: SHA-256 over the lines "<SHA-256 of the file>  <path>\\n" of all files, sorted by path. `find . -type f -printf "%P\\n" | LC_ALL=C sort | xargs -d "\\n" sha256sum | sha256sum` prints it.',
      ),
    signature: z
      .object({
        publicKey: z
          .string()
          .max(4096)
          .meta(
            cel({
              rule: String.raw`self.matches(r'^\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$')`,
              message:
                'expected a public key in PEM, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----',
            }),
          )
          .describe('PEM of the ECDSA, Ed25519 or RSA (2048 bits at least) public key.'),
      })
      .optional()
      .describe(
        'Serves the model only when it is signed with this key: the directory of the model holds model.sig, a signature over the lines that spec.model.digest is taken of without the one of the signature, or model.sigstore.json, a sigstore bundle of cosign sign-blob over the same lines. It says who has made the model, not which version it is: pin spec.model.version or spec.model.digest for that.',
      ),
    credentialsSecretRef: z
      .object({
        name: z
          .string()
          .min(1)
          .max(253)
          .meta(
            cel({
              rule: `self.matches('${OBJECT_NAME}')`,
              message: 'expected the name of a Secret in the namespace of the ModelService',
            }),
          ),
      })
      .optional()
      .describe(
        `Secret in the namespace of the ModelService with what access needs. ${CREDENTIAL_KEYS} It is mounted into the pods as files, the operator never reads it, and new contents count without a restart. Another name replaces the pods.`,
      ),
  })
  .meta(
    cel({
      rule: "!has(self.credentialsSecretRef) || !(self.uri.startsWith('pvc://') || self.uri.startsWith('file://'))",
      message: 'spec.model.credentialsSecretRef is of no use for pvc:// and file:// addresses: remove it',
    }),
  )
  .describe('What to serve. A change is loaded beside the old model and swapped in; no pod restarts.');
export type ModelSource = z.infer<typeof ModelSource>;

export const Serving = z
  .object({
    maxBatchSize: z
      .int32()
      .min(1)
      .max(4096)
      .default(32)
      .describe('Largest batch (rows) that waiting requests are joined to. 1 turns batching off.'),
    maxDelayMilliseconds: z
      .int32()
      .min(0)
      .max(1000)
      .default(0)
      .describe(
        'How long a batch may wait to fill up while the engine is idle. 0: it never waits; what arrives during a run is the next batch.',
      ),
    queueCapacity: z
      .int32()
      .min(1)
      .max(100_000)
      .default(256)
      .describe('Requests that may wait in one replica; beyond it the answer is 429 with Retry-After.'),
    maxBacklogMilliseconds: z
      .int32()
      .min(1)
      .max(3_600_000)
      .default(2000)
      .describe(
        'How much work may wait in one replica, in milliseconds that the engine needs for it as measured so far; beyond it the answer is 429 with Retry-After. As many rows as one batch takes may always wait.',
      ),
    requestTimeoutSeconds: z
      .int32()
      .min(1)
      .max(3600)
      .default(30)
      .describe('A request that waits longer is answered 504.'),
    warmUpRequests: z
      .int32()
      .min(1)
      .max(100)
      .default(1)
      .describe(
        'Synthetic inferences per signature before a model takes requests. At least one: a replica is ready only after a real inference.',
      ),
  })
  .prefault({})
  .describe('How requests are served. A change takes effect in the running pods.');
export type Serving = z.infer<typeof Serving>;

export const Gpu = z
  .object({
    count: z.int32().min(0).max(64).default(1).describe('GPUs per replica. 0: the CPU image and no GPU.'),
    resource: z
      .string()
      .max(253)
      .default('nvidia.com/gpu')
      .meta(
        cel({
          rule: "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')",
          message: 'expected an extended resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb',
        }),
      )
      .describe('Extended resource that stands for one GPU; MIG profiles work.'),
    nodeSelector: z
      .record(z.string().max(317), z.string().max(63))
      .optional()
      .describe('Labels of the nodes whose GPUs to use, such as nvidia.com/gpu.product.'),
  })
  .prefault({})
  .describe('GPUs of each replica.');

export const Rollout = z
  .object({
    strategy: z
      .enum(ROLLOUT_STRATEGIES)
      .default('Auto')
      .describe(
        'How a change reaches the pods. Auto: a changed model is reloaded in the running pods; what needs new pods surges when a GPU is free for an extra pod, else goes pod by pod. Reload: as Auto for models, and pods are never replaced (a change of the pod template waits and RolledOut says so). Surge: new pods beside the old ones, for models too. InPlace: pod by pod without an extra GPU, for models too.',
      ),
  })
  .prefault({});

export const ModelServiceSpec = z
  .object({
    model: ModelSource,
    replicas: z
      .int32()
      .min(0)
      .max(10_000)
      .default(1)
      .describe('Replicas that are guaranteed. Editing it, or kubectl scale, takes effect at once.'),
    autoscaling: Autoscaling.optional(),
    gpu: Gpu,
    resources: Resources.optional(),
    podTemplate: PodTemplate.optional(),
    serving: Serving,
    rollout: Rollout,
    service: ServiceExposure.optional(),
    placement: Placement.optional(),
  })
  .meta(
    cel(
      {
        rule: '!has(self.autoscaling) || self.autoscaling.maxReplicas >= self.replicas',
        message: 'spec.autoscaling.maxReplicas must not be less than spec.replicas',
        messageExpression:
          "'spec.replicas is %d and spec.autoscaling.maxReplicas is %d: raise maxReplicas or lower replicas'.format([self.replicas, self.autoscaling.maxReplicas])",
      },
      {
        rule: '!has(self.autoscaling) || self.replicas >= 1',
        message:
          'spec.replicas must be at least 1 with spec.autoscaling; remove spec.autoscaling to scale to zero',
      },
      {
        rule: '!has(self.resources) || [has(self.resources.requests) ? self.resources.requests : {}, has(self.resources.limits) ? self.resources.limits : {}].all(amounts, !(self.gpu.resource in amounts))',
        message:
          'spec.resources names the GPU resource: ask for GPUs with spec.gpu.count and spec.gpu.resource instead',
      },
    ),
  );
export type ModelServiceSpec = z.infer<typeof ModelServiceSpec>;

const count = (what: string) => z.int32().min(0).optional().describe(what);

const CityShareStatus = z.object({
  city: z.string().max(63),
  known: z
    .boolean()
    .describe('False: the city is silent, and the figures are what it said last; they are not in the sums.'),
  lastHeardTime: z
    .string()
    .max(64)
    .meta({ format: 'date-time' })
    .optional()
    .describe('While the city is silent: when it was heard of last.'),
  replicas: z.int32().min(0).describe('Pods that exist.'),
  readyReplicas: z.int32().min(0),
  guaranteed: z.int32().min(0).describe('Replicas that the city was last told to guarantee.'),
  maxReplicas: z.int32().min(0).describe('The most that the city was last told it may run.'),
  version: z.string().max(32).optional().describe('Model version that the ready replicas serve.'),
  busyPercent: z.int32().optional(),
  requestsPerSecond: z.number().optional(),
  reason: z.string().max(1024).optional().describe('Of the Ready condition in the city.'),
  message: z.string().max(2048).optional(),
});
export type CityShareStatus = z.infer<typeof CityShareStatus>;

const Endpoint = z.object({
  city: z.string().max(63),
  url: z.string().max(512),
  weight: z.int32().min(1).describe('Share of the requests, in proportion to the ready replicas.'),
});
export type Endpoint = z.infer<typeof Endpoint>;

export const ModelServiceStatus = z.object({
  observedGeneration: z.int().optional(),
  replicas: count('Pods that exist.'),
  readyReplicas: count('Replicas that have answered a real inference of the wanted model and still report.'),
  updatedReplicas: count('Pods that run the wanted pod template.'),
  readyOfWanted: z.string().max(32).optional().describe('Ready and wanted replicas, such as 2/3.'),
  selector: z.string().max(512).optional().describe('Label selector of the pods, for the scale subresource.'),
  url: z.string().max(512).optional().describe('Address of the service inside the cluster.'),
  model: z
    .object({
      revision: z.string().max(64).optional().describe('Identity of the wanted spec.model.'),
      version: z.string().max(32).optional().describe('Version that the ready replicas serve.'),
      format: z.string().max(32).optional(),
      digest: z.string().max(128).optional().describe('Digest of what the ready replicas serve.'),
    })
    .optional(),
  load: z
    .object({
      busyPercent: z
        .int32()
        .optional()
        .describe('Mean share of time in which the engines compute, in percent.'),
      queueTimeMilliseconds: z.int32().optional().describe('Mean wait of a request, over all replicas.'),
      queued: z.int32().optional().describe('Requests that wait, over all replicas.'),
      requestsPerSecond: z.number().optional().describe('Over all replicas.'),
      rejectedPerSecond: z.number().optional().describe('Over all replicas.'),
      reportingReplicas: z.int32().optional().describe('Replicas whose reports these figures come from.'),
      gpuUtilizationPercent: z
        .int32()
        .optional()
        .describe(
          'Mean share of time in which the GPUs of the replicas compute, in percent. Absent for slices of GPUs, of which the driver does not tell it.',
        ),
      gpuMemoryPercent: z
        .int32()
        .optional()
        .describe('Used share of the memory of the fullest GPU of all replicas, in percent.'),
    })
    .optional(),
  cities: z
    .array(CityShareStatus)
    .max(500)
    .optional()
    .describe('On a hub: what each city has of the service.'),
  decisions: z
    .array(PlacementDecision)
    .max(500)
    .optional()
    .describe('On a hub: why each city has the replicas that it has.'),
  endpoints: z
    .array(Endpoint)
    .max(500)
    .optional()
    .describe('On a hub: where clients go. A city with nothing ready is not here.'),
  placement: PlacementRecord.optional().describe('On a hub: what it remembers of its decisions.'),
  conditions: ConditionList,
});
export type ModelServiceStatus = Omit<z.infer<typeof ModelServiceStatus>, 'conditions'> & {
  conditions?: ServiceCondition[];
};

/** The object as the API server stores it: defaults are filled in, unknown fields are gone. */
export interface ModelService {
  apiVersion: typeof API_VERSION;
  kind: 'ModelService';
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    generation: number;
    resourceVersion?: string;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: ModelServiceSpec;
  status?: ModelServiceStatus;
}
