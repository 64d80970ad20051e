import { describe, expect, test } from '@jest/globals';
import { dump } from 'js-yaml';
import { cluster } from './cluster.ts';
import { chart, helm, type Manifest, render, renderObjects } from './helm.ts';
import { untilFurnished } from './readiness.ts';

const everything = [
  'replicas=3',
  'images.registry=registry.example.org:5000/mirror',
  `images.operator=aicity/operator@sha256:${'1'.repeat(64)}`,
  'images.modelServer=aicity/model-server:pinned',
  'images.pullPolicy=Always',
  'images.pullSecrets={registry-login,other-login}',
  'logLevel=debug',
  'priorityClassName=system-cluster-critical',
  'nodeSelector.kubernetes\\.io/arch=amd64',
  'tolerations[0].key=dedicated',
  'tolerations[0].operator=Exists',
  'affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1',
  'affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=zone',
  'affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists',
  'labels.team=mobility',
  'labels.app\\.kubernetes\\.io/name=somebody-else',
  'podAnnotations.example\\.org/note=hello',
  'networkPolicy.apiServerPorts={6443}',
  'resources.limits.memory=1Gi',
];

const found = (objects: Manifest[], kind: string, name = 'aicity-operator') =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

describe('the chart', () => {
  test('passes helm lint, every warning counted', async () => {
    expect(await helm(['lint', '--strict', chart])).toContain('0 chart(s) failed');
  });

  test.each([
    ['as it is installed by default', []],
    ['with everything set', everything],
    [
      'small: one replica, no adapter, no network policy',
      ['replicas=1', 'metricsAdapter.enabled=false', 'networkPolicy.enabled=false'],
    ],
  ])('renders the same objects as before: %s', async (_, settings) => {
    const objects = (await renderObjects(settings)).filter(
      // Both are generated, and compared with their sources elsewhere.
      ({ kind, apiVersion }) => kind !== 'CustomResourceDefinition' && !apiVersion.startsWith('rbac.'),
    );
    expect(objects.map((object) => dump(object, { noRefs: true })).join('---\n')).toMatchSnapshot();
  });

  test.each([
    ['by default', []],
    ['with everything set', everything],
    ['with one replica and no adapter', ['replicas=1', 'metricsAdapter.enabled=false']],
  ])('is accepted by a real API server, object by object, strictly: %s', async (_, settings) => {
    const city = await cluster();
    const namespace = await city.freshNamespace('chart');
    const dryRun = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
    const objects = await renderObjects(settings, namespace);
    const answer = await city.kubectl([...dryRun, '-f', '-'], await render(settings, namespace));
    expect(answer.split('\n')).toHaveLength(objects.length);
  });

  test('fits the restricted pod security standard', async () => {
    const city = await cluster();
    const namespace = await city.freshNamespace('restricted');
    await city.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
    const deployment = found(await renderObjects([], namespace), 'Deployment')!;
    const { template } = deployment['spec'] as { template: Manifest };
    const pod = { ...template, apiVersion: 'v1', kind: 'Pod', metadata: { name: 'operator', namespace } };
    const spec = { ...(template['spec'] as object), serviceAccountName: 'default' };
    await untilFurnished(city, namespace);
    const answer = await city.kubectl(
      ['create', '--dry-run=server', '-f', '-'],
      JSON.stringify({ ...pod, spec }),
    );
    expect(answer).toContain('pod/operator created');
  });

  test('installs the CRD so that an upgrade renews it and an uninstall leaves it', async () => {
    const definition = found(await renderObjects(), 'CustomResourceDefinition', 'modelservices.aicity.io');
    expect(definition?.metadata).toMatchObject({ annotations: { 'helm.sh/resource-policy': 'keep' } });
  });

  test('gives the Service no selector, since the leader writes its endpoints', async () => {
    expect(found(await renderObjects(), 'Service')?.['spec']).not.toHaveProperty('selector');
  });

  test('makes no object of a kind that a plain cluster does not know', async () => {
    const groups = new Set((await renderObjects()).map(({ apiVersion }) => apiVersion));
    for (const group of groups) expect(group).toMatch(/^(v1|apps\/v1|policy\/v1|[a-z.]+\.k8s\.io\/v1)$/);
  });

  test('makes a PodMonitor when asked, with the labels that a Prometheus looks for', async () => {
    const objects = await renderObjects(['podMonitor.enabled=true', 'podMonitor.labels.release=prometheus']);
    expect(found(objects, 'PodMonitor')?.metadata.labels).toMatchObject({ release: 'prometheus' });
  });

  test('works as part of another chart, which passes it global values', async () => {
    expect(await renderObjects(['global.imageRegistry=x', 'global.anything.else=1'])).not.toHaveLength(0);
  });
});

describe('a wrong value is refused with its field and what was expected', () => {
  test.each([
    ['replicas=0', '/replicas', 'want 1'],
    ['replicas=two', '/replicas', 'want integer'],
    ['replicas=10', '/replicas', 'want 9'],
    ['replica=3', "additional properties 'replica' not allowed", ''],
    ['images.operator=aicity/operator', '/images/operator', 'does not match pattern'],
    ['images.modelServer=https://x/y:1', '/images/modelServer', 'does not match pattern'],
    ['images.tag=1', "at '/images': additional properties 'tag' not allowed", ''],
    ['images.registry=https://registry/', '/images/registry', 'does not match pattern'],
    ['images.pullPolicy=Sometimes', '/images/pullPolicy', "'Always', 'IfNotPresent', 'Never'"],
    ['images.pullSecrets=login', '/images/pullSecrets', 'want array'],
    ['images.pullSecrets={My Login}', '/images/pullSecrets/0', 'does not match pattern'],
    ['metricsAdapter.enabled=yes', '/metricsAdapter/enabled', 'want boolean'],
    ['metricsAdapter=false', '/metricsAdapter', 'want object'],
    ['logLevel=loud', '/logLevel', "'debug'"],
    ['resources.limits=1Gi', '/resources/limits', 'want object'],
    ['resources.limit.memory=1Gi', "at '/resources': additional properties 'limit' not allowed", ''],
    ['tolerations.key=x', '/tolerations', 'want array'],
    ['nodeSelector.zone=1', '/nodeSelector/zone', 'want string'],
    ['priorityClassName=High Priority', '/priorityClassName', ''],
    ['networkPolicy.apiServerPorts={70000}', '/networkPolicy/apiServerPorts/0', 'want 65,535'],
    ['podMonitor.intervalSeconds=30s', '/podMonitor/intervalSeconds', 'want integer'],
  ])('%s', async (setting, field, expectation) => {
    const refusal = await render([setting]).then(
      () => 'it was accepted',
      (error: Error) => error.message,
    );
    expect(refusal).toContain("values don't meet the specifications of the schema");
    expect(refusal).toContain(field);
    expect(refusal).toContain(expectation);
  });
});
