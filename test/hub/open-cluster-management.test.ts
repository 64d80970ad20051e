import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import { GRANTS } from '../../operator/rbac/grants.ts';
import type { Manifest } from '../api/helm.ts';
import { installUpstream } from '../api/upstream-definitions.ts';
import { repository } from '../region/cache.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions } from './region-hub.ts';

const file = (name: string) =>
  readFileSync(join(repository, 'examples', 'open-cluster-management', name), 'utf8');

const KINDS = ['Placement', 'ManagedClusterSetBinding', 'ManifestWorkReplicaSet'] as const;

/** With the project's own definitions, on a real API server. */
describe('a ModelService under Open Cluster Management', () => {
  let city: City;
  let namespace: string;
  const names: string[] = [];

  beforeAll(async () => {
    city = await cluster();
    await installRegionDefinitions(city);
    for (const kind of KINDS) names.push(await installUpstream(city, kind));
    namespace = await city.freshNamespace('ocm');
  });
  afterAll(async () => {
    await city.kubectl(['delete', 'crd', ...names]);
  });

  const objects = loadAll(file('traffic.yaml')) as Manifest[];
  const work = objects.find(({ kind }) => kind === 'ManifestWorkReplicaSet')!;
  const template = (work['spec'] as { manifestWorkTemplate: Template }).manifestWorkTemplate;

  interface Template {
    workload: { manifests: Manifest[] };
    manifestConfigs: {
      resourceIdentifier: { group: string; resource: string; namespace: string; name: string };
      feedbackRules: { jsonPaths: { path: string }[] }[];
    }[];
  }

  test.each(objects.map((object) => [object.kind, object] as const))(
    'is accepted by the definition of the project: %s',
    async (_, object) => {
      const input = JSON.stringify({ ...object, metadata: { ...object.metadata, namespace } });
      const dryRun = ['create', '--dry-run=server', '--validate=strict', '-f', '-'];
      expect(await city.kubectl(dryRun, input)).toContain('created (server dry run)');
    },
  );

  test('carries a ModelService that a city accepts', async () => {
    const service = template.workload.manifests.find(({ kind }) => kind === 'ModelService')!;
    const input = JSON.stringify({ ...service, metadata: { ...service.metadata, namespace } });
    const dryRun = ['create', '--dry-run=server', '--validate=strict', '-f', '-'];
    expect(await city.kubectl(dryRun, input)).toContain('modelservice.aicity.io/traffic created');
  });

  test('brings back fields that a ModelService has', async () => {
    const [config] = template.manifestConfigs;
    expect(config!.resourceIdentifier).toEqual({
      group: 'aicity.io',
      resource: 'modelservices',
      namespace: 'mobility',
      name: 'traffic',
    });
    const service = template.workload.manifests.find(({ kind }) => kind === 'ModelService')!;
    const input = JSON.stringify({ ...service, metadata: { name: 'traffic', namespace } });
    await city.kubectl(['create', '-f', '-'], input);
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'Serving',
      message: 'all serve',
      lastTransitionTime: '2026-03-01T12:00:00Z',
    };
    const status = { readyReplicas: 3, readyOfWanted: '3/3', conditions: [ready] };
    await city.kubectl([
      'patch',
      'modelservice',
      'traffic',
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]);
    const found = await Promise.all(
      config!.feedbackRules[0]!.jsonPaths.map(({ path }) =>
        city.kubectl(['get', 'modelservice', 'traffic', '-n', namespace, '-o', `jsonpath={${path}}`]),
      ),
    );
    expect(found.map((value) => value.trim())).toEqual(['3', '3/3', 'all serve']);
  });

  test('lets the agent of the project write ModelServices, as people with the role edit may', async () => {
    const role = load(file('work-agent.yaml')) as Manifest & {
      rules: { resources: string[]; verbs: string[] }[];
    };
    await city.kubectl(
      ['create', '--dry-run=server', '--validate=strict', '-f', '-'],
      file('work-agent.yaml'),
    );
    const editors = GRANTS.find(({ name }) => name === 'aicity-operator-edit')!;
    expect(role.rules[0]!.resources).toEqual(editors.permissions[0]!.resources);
  });
});
