import { describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { GRANTS } from '../../operator/rbac/grants.ts';
import { cluster } from './cluster.ts';
import { type Manifest, render, renderObjects } from './helm.ts';

const HUB = ['hub.enabled=true'];
const CITY = [
  'city.name=porto',
  'city.hub.server=https://hub.example.org:16000',
  'city.hub.token=header.payload.signature',
];

const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
const found = (objects: Manifest[], name: string) => objects.find((object) => nameOf(object) === name)!;

interface PodSpec {
  containers: {
    env: { name: string; value?: string }[];
    volumeMounts?: { name: string; mountPath: string }[];
  }[];
  volumes?: { name: string; secret: { secretName: string } }[];
}
function podOf(objects: Manifest[]): PodSpec {
  const { spec } = found(objects, 'Deployment aicity-operator') as unknown as {
    spec: { template: { spec: PodSpec } };
  };
  return spec.template.spec;
}
const environmentOf = (objects: Manifest[]) =>
  Object.fromEntries(podOf(objects).containers[0]!.env.map(({ name, value }) => [name, value]));

/** What the second has and the first has not or has otherwise. */
function difference(before: Manifest[], after: Manifest[]): string[] {
  const known = new Map(before.map((object) => [nameOf(object), JSON.stringify(object)]));
  return after.filter((object) => known.get(nameOf(object)) !== JSON.stringify(object)).map(nameOf);
}

describe('a cluster that is neither hub nor city', () => {
  test('has no object, no permission and no setting of either', async () => {
    const objects = await renderObjects();
    const text = JSON.stringify(objects.filter(({ kind }) => kind !== 'CustomResourceDefinition'));
    expect(text).not.toMatch(
      /cityclusters|cityreports|clusterprofiles|rolebindings"|namespaces"|AICITY_HUB|AICITY_CITY/i,
    );
    expect(objects.filter(({ kind }) => kind === 'CustomResourceDefinition').map(nameOf)).toEqual([
      'CustomResourceDefinition modelservices.aicity.io',
    ]);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(podOf(objects).volumes).toBeUndefined();
    const roles = objects.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    const expected = GRANTS.filter(({ only }) => only === undefined || only === 'metricsAdapter');
    expect(roles.map(({ metadata }) => metadata.name).sort()).toEqual(
      expected.map(({ name }) => name).sort(),
    );
  });

  test('has no Secret for a city that is not there', async () => {
    await expect(render(['city.hub.token=abc'])).rejects.toThrow('city.hub.token is set without city.name');
    await expect(render(['city.hub.kubeconfigSecret=mine'])).rejects.toThrow(
      'city.hub.kubeconfigSecret is set without city.name',
    );
  });
});

describe('a hub', () => {
  test('differs by two kinds, its roles, what it lets cities write and one setting', async () => {
    const objects = await renderObjects(HUB);
    expect(difference(await renderObjects(), objects).sort()).toEqual([
      'ClusterRole aicity-city',
      'ClusterRole aicity-operator-hub',
      'ClusterRole aicity-operator-hub-in-city',
      'ClusterRole aicity-operator-hub-metrics-reader',
      'ClusterRole aicity-operator-hub-view',
      'ClusterRoleBinding aicity-operator-hub',
      'ClusterRoleBinding aicity-operator-hub-metrics-reader',
      'CustomResourceDefinition cityclusters.aicity.io',
      'CustomResourceDefinition cityreports.aicity.io',
      'Deployment aicity-operator',
      'ValidatingAdmissionPolicy aicity-city',
      'ValidatingAdmissionPolicyBinding aicity-city',
    ]);
    expect(environmentOf(objects)).toEqual({
      ...environmentOf(await renderObjects()),
      AICITY_HUB: 'enabled',
    });
  });

  test('lets nobody read the metrics that no adapter serves', async () => {
    const objects = await renderObjects([...HUB, 'metricsAdapter.enabled=false']);
    expect(objects.filter(({ metadata }) => metadata.name.endsWith('metrics-reader'))).toEqual([]);
  });

  test('keeps its region when the chart goes', async () => {
    const objects = await renderObjects(HUB);
    for (const name of ['cityclusters.aicity.io', 'cityreports.aicity.io']) {
      const { metadata } = found(objects, `CustomResourceDefinition ${name}`);
      expect(metadata).toMatchObject({ annotations: { 'helm.sh/resource-policy': 'keep' } });
    }
  });
});

describe('a city', () => {
  test('differs by its role, the way to its hub and where that leads', async () => {
    expect(difference(await renderObjects(), await renderObjects(CITY)).sort()).toEqual([
      'ClusterRole aicity-operator-city',
      'ClusterRoleBinding aicity-operator-city',
      'Deployment aicity-operator',
      'NetworkPolicy aicity-operator',
      'Secret aicity-operator-hub',
    ]);
  });

  test('is told its name, and finds the hub where a Secret is mounted', async () => {
    const more = [
      'city.address=https://porto.example.org',
      'city.endpointTemplate=https://{name}.{namespace}.example.org',
    ];
    // Helm takes braces for a list.
    const objects = await renderObjects([...CITY, ...more.map((value) => value.replace(/([{}])/g, '\\$1'))]);
    expect(environmentOf(objects)).toMatchObject({
      AICITY_CITY_NAME: 'porto',
      AICITY_HUB_KUBECONFIG: '/etc/aicity/hub/kubeconfig',
      AICITY_VERSION: expect.stringMatching(/^\d+\.\d+\.\d+/),
      AICITY_CITY_ADDRESS: 'https://porto.example.org',
      AICITY_CITY_ENDPOINT_TEMPLATE: 'https://{name}.{namespace}.example.org',
    });
    const { containers, volumes } = podOf(objects);
    expect(containers[0]!.volumeMounts).toEqual([
      { name: 'hub', mountPath: '/etc/aicity/hub', readOnly: true },
    ]);
    expect(volumes).toEqual([{ name: 'hub', secret: { secretName: 'aicity-operator-hub' } }]);
  });

  test('gets a kubeconfig made of three values', async () => {
    const objects = await renderObjects([...CITY, 'city.hub.caData=UEVN']);
    const { stringData } = found(objects, 'Secret aicity-operator-hub') as unknown as {
      stringData: { kubeconfig: string };
    };
    const config = new KubeConfig();
    config.loadFromString(stringData.kubeconfig);
    expect(config.getCurrentCluster()).toMatchObject({
      server: 'https://hub.example.org:16000',
      caData: 'UEVN',
    });
    expect(config.getCurrentUser()).toMatchObject({ token: 'header.payload.signature' });
  });

  test('takes a Secret of its own', async () => {
    const objects = await renderObjects(['city.name=porto', 'city.hub.kubeconfigSecret=mine']);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(podOf(objects).volumes).toEqual([{ name: 'hub', secret: { secretName: 'mine' } }]);
  });

  test.each([
    ['https://hub.example.org:16000', 16000],
    ['https://hub.example.org', 443],
    ['https://hub.example.org/', 443],
    ['https://10.0.0.7:7443/', 7443],
    ['https://[fd00::7]:7444', 7444],
  ])('is let through to its hub at %s', async (server, port) => {
    const objects = await renderObjects([CITY[0]!, `city.hub.server=${server}`, CITY[2]!]);
    const { egress } = found(objects, 'NetworkPolicy aicity-operator')['spec'] as {
      egress: { ports: { port: number }[] }[];
    };
    const ports = egress.at(-1)!.ports.map((entry) => entry.port);
    expect(ports).toEqual([port, 80, 443, 8443]);
  });

  test.each([
    [
      ['city.name=porto'],
      'city.name is set, but nothing leads to the hub: set city.hub.server and city.hub.token',
    ],
    [[CITY[0]!, CITY[1]!], 'city.hub.server is set without city.hub.token'],
    [[CITY[0]!, CITY[2]!], 'city.hub.token is set without city.hub.server'],
    [[...CITY, 'city.hub.kubeconfigSecret=mine'], 'give the Secret or the three values, not both'],
    [['city.name=Porto'], "'/city/name'"],
    [[`city.name=${'p'.repeat(51)}`], "'/city/name'"],
    [[CITY[0]!, CITY[2]!, 'city.hub.server=http://hub'], "'/city/hub/server'"],
    [['city.address=porto'], "'/city/address'"],
    [['city.hub.tokn=x'], "additional properties 'tokn' not allowed"],
    [['hub=true'], "'/hub'"],
  ])('is refused in a sentence that names the field: %s', async (settings, sentence) => {
    await expect(render(settings)).rejects.toThrow(sentence);
  });
});

test.each([
  ['a hub', HUB],
  ['a city', CITY],
  ['both', [...HUB, ...CITY]],
])('%s is accepted by a real API server, object by object, strictly', async (_, settings) => {
  const city = await cluster();
  const namespace = await city.freshNamespace('chart');
  const dryRun = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
  const objects = await renderObjects(settings, namespace);
  const answer = await city.kubectl([...dryRun, '-f', '-'], await render(settings, namespace));
  expect(answer.split('\n')).toHaveLength(objects.length);
});
