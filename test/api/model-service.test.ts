import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { untilKnown } from './readiness.ts';

const uri = 'https://models.example/traffic';

/** A broken ModelService, and what the sentence that refuses it must say: the field, what was found, what helps. */
const broken: [what: string, spec: unknown, sentence: RegExp][] = [
  ['no model', {}, /spec\.model: Required value/],
  ['no address', { model: {} }, /spec\.model\.uri: Required value/],
  ['an address that is a number', { model: { uri: 5 } }, /spec\.model\.uri: .*"integer".*type string/],
  [
    'an unknown scheme',
    { model: { uri: 'ftp://host/m' } },
    /spec\.model\.uri: .*"ftp:\/\/host\/m".*expected https:/,
  ],
  [
    'keys in the address of a bucket',
    { model: { uri: 's3://key:secret@bucket/m' } },
    /spec\.model\.uri: .*expected https:/,
  ],
  [
    'an artifact without tag and digest',
    { model: { uri: 'oci://registry/traffic' } },
    /spec\.model\.uri: .*oci:\/\/REGISTRY\/REPOSITORY:TAG/,
  ],
  [
    'a Secret of no possible name',
    { model: { uri: 's3://bucket/m', credentialsSecretRef: { name: 'A b' } } },
    /credentialsSecretRef\.name: .*"A b".*the name of a Secret/,
  ],
  [
    'a private key',
    {
      model: {
        uri,
        signature: { publicKey: '-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----' },
      },
    },
    /signature\.publicKey: .*expected a public key in PEM/,
  ],
  [
    'credentials for a volume',
    { model: { uri: 'pvc://claim/m', credentialsSecretRef: { name: 'store' } } },
    /credentialsSecretRef is of no use for pvc:/,
  ],
  ['a password in the address', { model: { uri: 'https://u:p@h/m' } }, /spec\.model\.uri: .*expected https:/],
  ['two sources', { model: { uri, storageUri: uri } }, /unknown field "spec\.model\.storageUri"/],
  ['an unknown format', { model: { uri, format: 'ONNX' } }, /spec\.model\.format: .*"ONNX".*"SavedModel"/],
  [
    'a version in words',
    { model: { uri, version: 'latest' } },
    /spec\.model\.version: .*"string".*type integer/,
  ],
  [
    'a digest of another kind',
    { model: { uri, digest: 'md5:3' } },
    /spec\.model\.digest: .*"md5:3".*sha256: and 64/,
  ],
  [
    'a negative number of replicas',
    { model: { uri }, replicas: -1 },
    /spec\.replicas: .*-1.*greater than or equal to 0/,
  ],
  [
    'a port of the nodes without one',
    { model: { uri }, service: { nodePort: 30_080 } },
    /spec\.service: .*spec\.service\.nodePort needs the type NodePort or LoadBalancer/,
  ],
  [
    'a class of load balancer without one',
    { model: { uri }, service: { type: 'NodePort', loadBalancerClass: 'a.b/c' } },
    /loadBalancerClass needs the type LoadBalancer; the type is NodePort/,
  ],
  [
    "the operator's own annotations",
    { model: { uri }, service: { annotations: { 'aicity.io/applied': 'x' } } },
    /spec\.service\.annotations must not begin with aicity\.io/,
  ],
  [
    'another type of Service',
    { model: { uri }, service: { type: 'ExternalName' } },
    /spec\.service\.type: .*"ExternalName".*"ClusterIP", "NodePort", "LoadBalancer"/,
  ],
  ['replicas in words', { model: { uri }, replicas: 'two' }, /spec\.replicas: .*"string".*type integer/],
  [
    'replicas above maxReplicas',
    { model: { uri }, replicas: 5, autoscaling: { maxReplicas: 3 } },
    /spec\.replicas is 5 and spec\.autoscaling\.maxReplicas is 3: raise maxReplicas or lower replicas/,
  ],
  [
    'zero replicas with autoscaling',
    { model: { uri }, replicas: 0, autoscaling: { maxReplicas: 3 } },
    /spec\.replicas must be at least 1 with spec\.autoscaling; remove/,
  ],
  [
    'a metric with the wrong target',
    { model: { uri }, autoscaling: { maxReplicas: 3, metrics: [{ type: 'QueueTime', targetPercent: 3 }] } },
    /spec\.autoscaling\.metrics\[0\]: .*QueueTime takes targetMilliseconds/,
  ],
  [
    'one metric twice',
    {
      model: { uri },
      autoscaling: {
        maxReplicas: 3,
        metrics: [
          { type: 'Load', targetPercent: 50 },
          { type: 'Load', targetPercent: 60 },
        ],
      },
    },
    /spec\.autoscaling\.metrics\[1\]: Duplicate value/,
  ],
  [
    'a GPU that is no extended resource',
    { model: { uri }, gpu: { resource: 'gpu' } },
    /spec\.gpu\.resource: .*"gpu".*such as nvidia\.com\/gpu/,
  ],
  [
    'a negative number of GPUs',
    { model: { uri }, gpu: { count: -2 } },
    /spec\.gpu\.count: .*-2.*greater than or equal to 0/,
  ],
  [
    'GPUs among the resources',
    { model: { uri }, resources: { limits: { 'nvidia.com/gpu': 2 } } },
    /spec\.resources names the GPU resource: .*spec\.gpu\.count/,
  ],
  [
    'a quantity that is none',
    { model: { uri }, resources: { limits: { memory: '1Gx' } } },
    /spec\.resources\.limits\.memory: .*"1Gx".*should match/,
  ],
  [
    'a negative quantity',
    { model: { uri }, resources: { requests: { cpu: '-1' } } },
    /spec\.resources\.requests\.cpu: .*"-1".*should match/,
  ],
  [
    "the operator's own label",
    { model: { uri }, podTemplate: { labels: { 'aicity.io/service': 'x' } } },
    /spec\.podTemplate\.labels: .*the operator's own; choose another prefix/,
  ],
  [
    "the operator's own variable",
    { model: { uri }, podTemplate: { env: [{ name: 'AICITY_SERVICE' }] } },
    /spec\.podTemplate\.env\[0\]\.name: .*the operator's own/,
  ],
  [
    'an unknown strategy',
    { model: { uri }, rollout: { strategy: 'Recreate' } },
    /spec\.rollout\.strategy: .*"Recreate".*"InPlace"/,
  ],
  [
    'an empty batch',
    { model: { uri }, serving: { maxBatchSize: 0 } },
    /spec\.serving\.maxBatchSize: .*0.*greater than or equal to 1/,
  ],
];

describe('kubectl and the ModelService contract', () => {
  let city: City;
  let namespace: string;
  const apply = async (spec: unknown, name = 'traffic') =>
    await city.kubectl(
      ['apply', '-n', namespace, '-f', '-'],
      JSON.stringify({ apiVersion: 'aicity.io/v1alpha1', kind: 'ModelService', metadata: { name }, spec }),
    );
  const read = async (path: string) =>
    await city.kubectl(['get', 'ms', 'traffic', '-n', namespace, '-o', `jsonpath={${path}}`]);

  beforeAll(async () => {
    city = await cluster();
    await city.apply(
      readFileSync(new URL('../../crds/modelservices.aicity.io.yaml', import.meta.url), 'utf8'),
    );
    await untilKnown(city, 'modelservices.aicity.io');
    namespace = await city.freshNamespace();
  });

  test.each(broken)('%s is refused with a sentence', async (_what, spec, sentence) => {
    await expect(apply(spec)).rejects.toThrow(sentence);
  });

  test.each(['1traffic', 'traffic.v2', 'a'.repeat(51)])(
    'the name %s is refused with a sentence',
    async (name) => {
      await expect(apply({ model: { uri } }, name)).rejects.toThrow(
        /metadata\.name is ".*": expected at most 50/,
      );
    },
  );

  test('what is left out gets its default', async () => {
    await apply({ model: { uri }, autoscaling: { maxReplicas: 3 } });
    const spec = JSON.parse(await read('.spec'));
    expect(spec).toEqual({
      model: { uri },
      replicas: 1,
      autoscaling: { maxReplicas: 3, metrics: [{ type: 'Load', targetPercent: 70 }] },
      gpu: { count: 1, resource: 'nvidia.com/gpu' },
      serving: {
        maxBatchSize: 32,
        maxDelayMilliseconds: 0,
        queueCapacity: 256,
        maxBacklogMilliseconds: 2000,
        requestTimeoutSeconds: 30,
        warmUpRequests: 1,
      },
      rollout: { strategy: 'Auto' },
    });
  });

  test('kubectl scale writes spec.replicas and reads the status', async () => {
    await city.kubectl(['scale', 'ms/traffic', '--replicas=3', '-n', namespace]);
    expect(await read('.spec.replicas')).toBe('3');
    const scale = [
      'get',
      '--raw',
      `/apis/aicity.io/v1alpha1/namespaces/${namespace}/modelservices/traffic/scale`,
    ];
    await city.kubectl([
      'patch',
      'ms',
      'traffic',
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: { replicas: 2, selector: 'a=b' } }),
    ]);
    expect(JSON.parse(await city.kubectl(scale))).toMatchObject({
      spec: { replicas: 3 },
      status: { replicas: 2, selector: 'a=b' },
    });
  });

  test('kubectl get answers "is it well?"', async () => {
    const status = {
      readyOfWanted: '2/3',
      model: { version: '7' },
      load: { busyPercent: 41 },
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'InsufficientGPU',
          message: 'no GPU is free',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    };
    await city.kubectl([
      'patch',
      'ms',
      'traffic',
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]);
    const table = await city.kubectl(['get', 'ms', '-n', namespace]);
    expect(table).toMatch(/NAME +READY +VERSION +LOAD% +REASON +AGE/);
    expect(table).toMatch(/traffic +2\/3 +7 +41 +InsufficientGPU/);
  });
});
