import { describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../../crds/model-service.ts';
import { CONFIG_MAP_KEYS, ModelAssignment } from '../../../crds/pod-contract.ts';
import { assignmentOf, modelRevision } from '../../../operator/plan/assignment.ts';
import { autoscaler } from '../../../operator/plan/autoscaler.ts';
import { clusterService } from '../../../operator/plan/cluster-service.ts';
import { configMap } from '../../../operator/plan/config-map.ts';
import { containerResources } from '../../../operator/plan/container-resources.ts';
import { networkPolicy } from '../../../operator/plan/network-policy.ts';
import type { CustomMetricsOwner } from '../../../operator/plan/observed.ts';
import { podTemplate } from '../../../operator/plan/pod-template.ts';
import { onCpu, serviceWith, settings, templateRevisionOf } from './builders.ts';

const specOf = (object: object) => (object as { spec: Record<string, unknown> }).spec;
const service = serviceWith();

describe('the Service', () => {
  const portsOf = (its: ModelService) => specOf(clusterService(its))['ports'] as { nodePort?: number }[];

  test('is inside the cluster alone unless told', () => {
    expect(specOf(clusterService(service))).toMatchObject({ type: 'ClusterIP' });
    expect(portsOf(service).every((port) => !('nodePort' in port))).toBe(true);
  });

  test('is as spec.service has it, and keeps its own mark', () => {
    const annotations = { 'example.org/pool': 'edge', 'aicity.io/applied': 'mine' };
    const its = serviceWith({ service: { type: 'LoadBalancer', nodePort: 30_080, annotations } });
    const { metadata } = clusterService(its);
    expect(specOf(clusterService(its))).toMatchObject({ type: 'LoadBalancer' });
    expect(portsOf(its).map(({ nodePort }) => nodePort)).toEqual([30_080, undefined]);
    expect(metadata.annotations).toMatchObject({ 'example.org/pool': 'edge' });
    expect(metadata.annotations!['aicity.io/applied']).not.toBe('mine');
  });
});

describe('the pod template', () => {
  /** A change of these texts restarts every model of every installation that is upgraded: make it for a reason. */
  test.each([
    ['with a GPU', serviceWith({ model: { uri: 'https://models.example/traffic/3' } })],
    [
      'on the CPU, from a volume, with every pod field',
      serviceWith({
        ...onCpu,
        model: { uri: 'pvc://models/traffic' },
        rollout: { strategy: 'Surge' },
        resources: { requests: { cpu: 2 }, limits: { memory: '4Gi' } },
        podTemplate: {
          labels: { team: 'a' },
          annotations: { note: 'b' },
          nodeSelector: { zone: 'porto' },
          tolerations: [{ key: 'spot', operator: 'Exists' }],
          affinity: { nodeAffinity: {} },
          priorityClassName: 'high',
          serviceAccountName: 'theirs',
          env: [{ name: 'TZ', value: 'Europe/Lisbon' }],
        },
      }),
    ],
  ])('%s', (_what, its) => {
    expect(podTemplate(its, { ...settings, imagePullSecrets: ['registry'] })).toMatchSnapshot();
  });

  const same: [string, Partial<ModelService['spec']>][] = [
    ['the address', { model: { uri: 'https://elsewhere.example/m' } }],
    ['the version', { model: { uri: service.spec.model.uri, version: 4 } }],
    [
      'the way of serving',
      { serving: { ...service.spec.serving, maxBatchSize: 1, requestTimeoutSeconds: 600 } },
    ],
    ['the number of replicas', { replicas: 9 }],
    ['the type of the Service', { service: { type: 'NodePort' } }],
    ['autoscaling', { autoscaling: { maxReplicas: 9, metrics: [{ type: 'CPU', targetPercent: 50 }] } }],
  ];
  test.each(same)('stays the same when %s changes', (_what, spec) => {
    expect(podTemplate(serviceWith({ ...spec }), settings)).toEqual(podTemplate(service, settings));
  });

  test('does not know where the model is, nor which operator made it', () => {
    const text = JSON.stringify(podTemplate(service, settings));
    expect(text).not.toContain('models.example');
    expect(podTemplate(service, { ...settings, reportAuthorities: 'new', image: 'other' })).toEqual(
      podTemplate(service, settings),
    );
  });

  test.each<[string, Partial<ModelService['spec']>]>([
    ['the GPUs', { gpu: { count: 2, resource: 'nvidia.com/gpu' } }],
    ['the resources', { resources: { requests: { cpu: 2 } } }],
    ['a variable', { podTemplate: { env: [{ name: 'A', value: '1' }] } }],
    ['the claim', { model: { uri: 'pvc://models/m' } }],
  ])('is another when %s change', (_what, spec) => {
    expect(templateRevisionOf(serviceWith({ ...spec }))).not.toBe(templateRevisionOf(service));
  });

  test('is another for another model only where models come with pods', () => {
    const revisions = (strategy: ModelService['spec']['rollout']['strategy']) =>
      new Set(
        ['a', 'b'].map((name) =>
          templateRevisionOf(serviceWith({ rollout: { strategy }, model: { uri: `https://m/${name}` } })),
        ),
      );
    expect([revisions('Auto').size, revisions('Reload').size]).toEqual([1, 1]);
    expect([revisions('Surge').size, revisions('InPlace').size]).toEqual([2, 2]);
  });

  test('labels and annotations of the user never displace our own', () => {
    const its = podTemplate(serviceWith({ podTemplate: { labels: { 'aicity.io/service': 'x' } } }), settings);
    expect(its.metadata.labels['aicity.io/service']).toBe('traffic');
  });
});

describe('resources', () => {
  const amounts = (spec: Parameters<typeof serviceWith>[0]) => containerResources(serviceWith(spec).spec);
  test.each<[string, Record<string, unknown>, object]>([
    ['nothing said', {}, { requests: { cpu: '500m', memory: '1Gi' }, limits: { 'nvidia.com/gpu': '1' } }],
    ['a request', { resources: { requests: { cpu: 2 } } }, { requests: { cpu: '2', memory: '1Gi' } }],
    [
      'a limit below the default request',
      { resources: { limits: { cpu: '200m' } } },
      { requests: { memory: '1Gi' }, limits: { cpu: '200m', 'nvidia.com/gpu': '1' } },
    ],
    ['no GPU', onCpu, { limits: {} }],
    [
      'MIG',
      { gpu: { count: 2, resource: 'nvidia.com/mig-1g.10gb' } },
      { limits: { 'nvidia.com/mig-1g.10gb': '2' } },
    ],
  ])('%s', (_what, spec, resources) => {
    expect(amounts(spec)).toMatchObject(resources);
    if (spec === onCpu) expect(amounts(spec).limits).toEqual({});
  });

  test('a limit alone has no default request beside it', () => {
    expect(amounts({ resources: { limits: { cpu: '200m' } } }).requests).not.toHaveProperty('cpu');
  });
});

describe('the network policy', () => {
  const dns = {
    ports: [
      { protocol: 'UDP', port: 53 },
      { protocol: 'TCP', port: 53 },
    ],
  };
  const namespace = (name: string) => [
    { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } },
  ];
  const operator = { to: namespace('aicity-system'), ports: [{ protocol: 'TCP', port: 9443 }] };
  const port = (number: number) => ({ ports: [{ protocol: 'TCP', port: number }] });
  const metadataService = {
    to: [{ ipBlock: { cidr: '169.254.0.0/16' } }],
    ports: [80, 988].map((number) => ({ protocol: 'TCP', port: number })),
  };

  test.each([
    ['https://models.example.org/m', [port(443)]],
    ['http://models.example.org:8080/m', [port(8080)]],
    ['http://10.0.0.1:9000/m', [port(9000)]],
    ['http://store.data.svc:9000/m', [port(9000), { to: namespace('data') }]],
    ['http://store.data.svc.cluster.local/m', [port(80), { to: namespace('data') }]],
    ['http://store.data/m', [port(80), { to: namespace('data') }]],
    ['http://store/m', [port(80), { to: namespace('city') }]],
    ['http://localhost:1/m', [port(1)]],
    ['s3://models/m', [port(443), metadataService]],
    ['gs://models/m', [port(443), metadataService]],
    ['oci://registry.example.org/m:1', [port(443)]],
    ['oci://registry.data.svc:5000/m:1', [port(5000), { to: namespace('data') }, port(443)]],
    ['pvc://models/m', []],
    ['file:///models/m', []],
  ])('for %s', (uri, toModel) => {
    const { egress, ingress, policyTypes } = specOf(networkPolicy(serviceWith({ model: { uri } }), settings));
    expect(egress).toEqual([dns, operator, ...toModel]);
    expect(ingress).toEqual([
      {
        ports: [
          { protocol: 'TCP', port: 8080 },
          { protocol: 'TCP', port: 9000 },
        ],
      },
    ]);
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
  });
});

describe('a Secret with credentials', () => {
  const credentialsSecretRef = { name: 'store' };
  const model = { uri: 's3://models/m', credentialsSecretRef };
  const egress = (spec: Parameters<typeof serviceWith>[0]) =>
    (specOf(networkPolicy(serviceWith(spec), settings))['egress'] as object[]).slice(2);

  test('is mounted as files, never a variable, and pods start without it', () => {
    const { spec } = podTemplate(serviceWith({ model }), settings);
    expect(spec['volumes']).toContainEqual({
      name: 'credentials',
      secret: { secretName: 'store', optional: true, defaultMode: 0o444 },
    });
    const [container] = spec['containers'] as { volumeMounts: object[]; env: object[] }[];
    expect(container?.volumeMounts).toContainEqual({
      name: 'credentials',
      mountPath: '/var/run/secrets/aicity-model',
      readOnly: true,
    });
    expect(JSON.stringify(container?.env)).not.toContain('store');
  });

  test('may name any store, so any port is open, unless a variable names the one', () => {
    const env = (value: string) => ({ podTemplate: { env: [{ name: 'AWS_ENDPOINT_URL', value }] } });
    const ports = (number: number) => ({ ports: [{ protocol: 'TCP', port: number }] });
    expect(egress({ model })).toEqual([{ ports: [{ protocol: 'TCP' }] }]);
    expect(egress({ model: { ...model, uri: 'gs://models/m' } })).toEqual([ports(443)]);
    expect(egress({ model, ...env('http://minio.storage.svc:9000') })).toEqual([
      ports(9000),
      { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'storage' } } }] },
    ]);
    expect(egress({ model, ...env('https://s3.example.org/') })).toEqual([ports(443)]);
    expect(egress({ model, ...env('$(OTHER)') })).toEqual([{ ports: [{ protocol: 'TCP' }] }]);
  });

  test('of another name needs new pods', () => {
    const other = { ...model, credentialsSecretRef: { name: 'other' } };
    expect(templateRevisionOf(serviceWith({ model }))).not.toBe(
      templateRevisionOf(serviceWith({ model: other })),
    );
  });
});

describe('the autoscaler', () => {
  const other: CustomMetricsOwner = { kind: 'Other', owner: 'x' };
  const metrics = (given: object[] | undefined, owner: CustomMetricsOwner = { kind: 'Ours' }) => {
    const its = serviceWith({
      replicas: 2,
      autoscaling: { maxReplicas: 5, ...(given ? { metrics: given } : {}) } as never,
    });
    return specOf(autoscaler(its, its.spec.autoscaling!, owner))['metrics'];
  };
  const pods = (name: string, averageValue: string) => ({
    type: 'Pods',
    pods: { metric: { name }, target: { type: 'AverageValue', averageValue } },
  });
  const resource = (name: string, averageUtilization: number) => ({
    type: 'Resource',
    resource: { name, target: { type: 'Utilization', averageUtilization } },
  });
  const load = { type: 'Load', targetPercent: 60 };
  const queue = { type: 'QueueTime', targetMilliseconds: 20 };
  const cpu = { type: 'CPU', targetPercent: 80 };
  const memory = { type: 'Memory', targetPercent: 75 };

  test('goes from the floor to the ceiling, by load unless said otherwise', () => {
    const its = serviceWith({
      replicas: 2,
      autoscaling: { maxReplicas: 5, behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } },
    });
    expect(specOf(autoscaler(its, its.spec.autoscaling!, { kind: 'Ours' }))).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'traffic' },
      minReplicas: 2,
      maxReplicas: 5,
      metrics: [pods('aicity_load', '70')],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    });
  });

  test.each([
    [
      'every metric',
      [load, queue, cpu, memory],
      undefined,
      [
        pods('aicity_load', '60'),
        pods('aicity_queue_time_milliseconds', '20'),
        resource('cpu', 80),
        resource('memory', 75),
      ],
    ],
    ['load, served by another', [load], other, [resource('cpu', 60)]],
    ['queue time, served by another', [queue], other, [resource('cpu', 70)]],
    [
      'load and memory, served by another',
      [load, memory],
      other,
      [resource('cpu', 60), resource('memory', 75)],
    ],
    ['load and CPU, served by another', [load, cpu], other, [resource('cpu', 80)]],
    ['memory alone', [memory], other, [resource('memory', 75)]],
  ])('%s', (_what, given, owner, expected) => {
    expect(metrics(given, owner)).toEqual(expected);
  });
});

describe('the assignment', () => {
  test('is what the ConfigMap says, in a form that the model server accepts', () => {
    const { data } = configMap(service, settings) as unknown as { data: Record<string, string> };
    const parsed = ModelAssignment.parse(JSON.parse(data[CONFIG_MAP_KEYS.assignment]!));
    expect(parsed).toEqual(assignmentOf(service));
    expect(data[CONFIG_MAP_KEYS.ca]).toBe('PEM');
  });

  test('has another revision for every other source, and the same for the same in another order', () => {
    const uri = 'https://m/x';
    const digest = `sha256:${'0'.repeat(64)}`;
    const revisions = [
      { uri },
      { uri, version: 1 },
      { uri, version: 2 },
      { uri, format: 'SavedModel' as const },
      { uri, digest },
    ].map(modelRevision);
    expect(new Set(revisions).size).toBe(revisions.length);
    expect(revisions.every((revision) => /^[0-9a-f]{10}$/.test(revision))).toBe(true);
    expect(modelRevision({ version: 1, uri })).toBe(modelRevision({ uri, version: 1 }));
  });
});
