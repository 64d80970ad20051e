/** docs/model-server.md: what the server takes, answers and counts, from the code that does it. */
import { HELP } from './config.ts';
import { ALONE } from './reference-alone.ts';
import { type Gauges, Metrics } from './serve/metrics.ts';
import { OPERATIONS, type Operation } from './serve/routes.ts';

const ROUTES = (Object.values(OPERATIONS) as Operation[]).map(({ method, path, which, query, summary }) => {
  const versions = {
    versions: '[/versions/{version}]',
    'versions or labels': '[/versions/{version}|/labels/{label}]',
  };
  const target = which ? path.replace('{model}', `{model}${versions[which]}`) : path;
  return [
    `\`${method} ${target}${query ? `[?${query.name}=]` : ''}\``,
    query ? `${summary} \`${query.name}\`: ${query.description}` : summary,
  ] as const;
});

const STATUSES: readonly (readonly [string, string])[] = [
  ['400', 'The request is wrong: the sentence names the field, what was found and what was expected.'],
  ['404', 'Another model or version than the one served, or no such path.'],
  ['405', 'The path takes another method.'],
  ['408, 431', 'The request came too slowly, or its headers are too long.'],
  ['413', 'The body is larger than one request may be.'],
  ['429', 'The queue is full, by number or by the time that it takes; `Retry-After` says when to come back.'],
  ['500', 'TensorFlow or the server failed at the request.'],
  ['503', 'Nothing is served yet, or the engine, or the thread that read the body, has died; ask again.'],
  ['504', 'The request waited longer than `spec.serving.requestTimeoutSeconds`.'],
];

const CREDENTIALS: readonly (readonly [string, string])[] = [
  [
    '`s3://`',
    '`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`; `AWS_SESSION_TOKEN` with temporary ones; `AWS_REGION` (default us-east-1); `AWS_ENDPOINT_URL` for other stores than AWS',
  ],
  [
    '`gs://`',
    '`GOOGLE_APPLICATION_CREDENTIALS` (or `gcloud-application-credentials.json`): the JSON key of a service account',
  ],
  [
    '`oci://`',
    '`.dockerconfigjson`, as `kubectl create secret docker-registry` writes it, with an entry for the registry; or `username` and `password`',
  ],
  [
    '`https://`, `http://`',
    '`token`, or `username` and `password`; never sent to where an address redirects to',
  ],
];

export function modelServerReference(): string {
  return [
    '<!-- Generated from model-server/*.ts by `npm run generate`. Do not edit. -->',
    '# The model server',
    '',
    'In a pod it serves one model, and the operator says which. Alone it serves as many as flags and a file say.',
    '',
    ALONE,
    '## Requests',
    '',
    ...table('request', 'answer', ROUTES),
    '',
    'A model at an address without version directories has version 1. A request that names no signature means',
    '`serving_default`, or the first signature where there is none of that name. Errors are `{"error": "<sentence>"}`:',
    '',
    ...table('status', 'meaning', STATUSES),
    '',
    'Requests that wait are joined along their first dimension, when every input and output of the signature has a variable',
    'first dimension and the warm-up has shown that only that dimension of the outputs grows. A joined run that fails is',
    'repeated one by one, so a bad request never fails another. Rows that may be joined may be dealt out as well: where it is',
    'quicker, several cores have a share each of the rows of a run. A model whose rows influence each other, although its',
    'shapes do not show it, needs `spec.serving.maxBatchSize: 1`.',
    '',
    'JSON bodies of 256 KiB and more are read by threads of their own, so that probes and small requests need not wait for',
    'them. Raw tensors need no reading, and are the better choice for large ones.',
    '',
    '## Models',
    '',
    '- `pvc://CLAIM/PATH` and `file:///PATH` are read where they lie: one model, or version directories of which the highest',
    '  number is served. Every 5 seconds they are looked at again; a new version is taken once two looks have found its files',
    '  unchanged. Links inside a model are refused.',
    '- `s3://BUCKET/PREFIX` is read from AWS or from any store that speaks S3 (`AWS_ENDPOINT_URL`), addressed by path. Version',
    '  directories are found by listing, every half minute again; a new one is taken once two listings have found it the same.',
    '  Every object is fetched as it was listed (`If-Match`), so that no two versions are ever joined.',
    '  `….tar.gz`, `.tgz`, `.tar` and `.zip` are unpacked.',
    '- `gs://BUCKET/PREFIX` is read from Google Cloud Storage in the same way, every object by its generation;',
    '  `STORAGE_EMULATOR_HOST` names another server.',
    '- `oci://REGISTRY/REPOSITORY:TAG` or `@sha256:…` is an artifact as ORAS pushes it: files named by their title, packed',
    '  directories, or tar layers; of an index the only manifest, or the one for this processor. Manifest and layers must have',
    '  their digests. A tag is looked up when a pod loads the model, and not again. Registries are asked over TLS, save those',
    '  on this machine and those that `MODEL_SERVER_PLAIN_HTTP_REGISTRIES` names.',
    '- Over `https://` and `http://` a directory cannot be listed. The address names a `.tar.gz`, `.tgz`, `.tar` or `.zip` of any',
    '  format, or the directory of a TensorFlow.js model (`model.json` and the weight files that it names) or of a SavedModel',
    '  without assets. With `spec.model.version` the directory of that number below the address is meant. Transfers resume,',
    '  and what was fetched is kept by its digest: a container that restarts serves it even when the address does not answer.',
    '  Models that are fetched lie in the cache directory, with the one before them.',
    '',
    'Access, from the Secret of `spec.model.credentialsSecretRef` in the namespace of the ModelService. Its keys are files in the',
    'pod, read anew for every request, so a renewed key counts without a restart; another name of the Secret needs new pods.',
    '',
    ...table('address', 'keys of the Secret', CREDENTIALS),
    '',
    '```sh',
    'kubectl create secret generic model-store --from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=… \\',
    '  --from-literal=AWS_ENDPOINT_URL=http://minio.storage.svc:9000',
    '```',
    '',
    '```yaml',
    'spec:',
    '  model:',
    '    uri: s3://models/traffic',
    '    credentialsSecretRef:',
    '      name: model-store',
    '```',
    '',
    'Without keys, `s3://` tries in this order: the variables of the same names (a server that runs alone), a web identity',
    '(`AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`), EKS Pod Identity, the role of the EC2 instance, and then no signature,',
    'which public buckets allow. Profiles and single sign-on of the AWS command line are not read. For EKS put the annotated',
    'ServiceAccount into `spec.podTemplate.serviceAccountName`. `gs://` asks the metadata service of Google Cloud (GKE workload',
    'identity, the service account of the machine), then without a token; other kinds of Google credential files are not read.',
    '',
    'The NetworkPolicy of the pods opens the port of an address. Where a Secret may name another store, which the operator does',
    'not read, every TCP port is open; `AWS_ENDPOINT_URL` in `spec.podTemplate.env` outranks the Secret and opens that port',
    'alone. Without a Secret it is port 443, and 80 and 988 of link-local addresses, where clouds lend roles. For `oci://`',
    'port 443 is open beside the one of the registry, since tokens and layers often come from other hosts.',
    '',
    'What cannot be loaded leaves the model before it serving. It is tried again after 1 second, doubled up to 30, when the',
    'address does not answer; after 30 seconds, doubled up to 10 minutes, when what is there is at fault.',
    '',
    '## How models run',
    '',
    'As TensorFlow sessions, which need one call for a whole batch. TensorFlow.js graph models are imported and layers models',
    'translated; one with something that only TensorFlow.js knows runs there, operation by operation and many times slower,',
    'and the log says at the load what it was (`remark about the model`). Variables of a SavedModel become constants when it is',
    'loaded, with which models as Keras exports them run up to half as fast again; a model that changes its variables, has tables, or',
    'whose variables take more than 32 MiB keeps them, and the log says so. What arrives while a run is in flight is the next',
    'batch: of one signature and equal shapes, up to `maxBatchSize` rows. Once two full batches wait, and no other model of the',
    'server is asked, runs go on side by side ([why](adr/0017-runs-side-by-side.md)). Names, shapes and datatypes of inputs are',
    'compared with the signature before they reach TensorFlow: a wrong rank would abort its process, and a wrong size can be',
    'hidden by padding.',
    '',
    'How a run uses the cores is no setting: on one thread, with its rows dealt out to the cores, or with operations',
    'that divide their work, whichever has shown to be quickest for the model and the size of the input',
    '([why](adr/0016-runs-use-the-cores-as-measured.md)). The first requests of a size may therefore take longer than later ones.',
    '',
    'NVIDIA’s GPUs that the process sees, or slices of them (MIG), are read from the driver (NVML) every two seconds: product, memory,',
    'and how much of the time they compute. They are in the metrics and in the reports to the operator, whose status has',
    '`load.gpuUtilizationPercent` and `load.gpuMemoryPercent`. Unverified on a GPU so far.',
    '',
    'Should TensorFlow abort all the same (a failed CHECK in native code), the process ends with it. Nothing is held together',
    'by a supervisor inside: Kubernetes starts the container again, and the other replicas answer meanwhile',
    '([why](adr/0013-sessions-run-models.md)).',
    '',
    '## The end',
    '',
    'After SIGTERM the server is not ready at once, lets requests in for the drain lag, closes each connection with its',
    'answer, finishes what is in flight, and exits with 0; with 1 when the drain limit cut requests off. A second signal ends',
    'the lag. When the engine dies, what is in flight is answered 503 and the process exits with 1, to be started afresh.',
    'Liveness fails when one run has lasted ten times `requestTimeoutSeconds`, but at least 5 minutes.',
    '',
    '## Flags and variables',
    '',
    '```',
    HELP.trimEnd(),
    '```',
    '',
    'In a ModelService the variables go into `spec.podTemplate.env`.',
    '',
    '## Metrics',
    '',
    'See [metrics](metrics.md).',
    '',
  ].join('\n');
}

/** The chapter of docs/metrics.md about the model server. */
export function modelServerMetrics(): string {
  return [
    '## Model server',
    '',
    'Served at `/metrics` on the port for requests.',
    '',
    ...metricTable(),
    '',
  ].join('\n');
}

function metricTable(): string[] {
  const none: Gauges = {
    queued: () => 0,
    inFlight: () => 0,
    heldBytes: () => 0,
    busySeconds: () => 0,
    residentBytes: () => 0,
    tensors: () => 0,
    ready: () => false,
    models: () => [],
    gpus: () => [],
    memory: () => [],
  };
  const rows = new Metrics(none).registry.getMetricsAsArray().map((metric) => {
    const {
      name,
      help,
      type,
      labelNames = [],
    } = metric as typeof metric & { type?: string; labelNames?: string[] };
    return `| \`${name}\` | ${kindOf(metric, type)} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows];
}

const kindOf = (metric: object, type: string | undefined) => type ?? metric.constructor.name.toLowerCase();

function table(left: string, right: string, rows: readonly (readonly [string, string])[]): string[] {
  return [`| ${left} | ${right} |`, '| --- | --- |', ...rows.map(([one, other]) => `| ${one} | ${other} |`)];
}
