import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { CityClusterSpec } from '../../crds/city-cluster.ts';
import { ModelServiceSpec } from '../../crds/model-service.ts';
import { parseCommand } from '../../operator/cli/arguments.ts';
import type { Manifest } from '../api/helm.ts';
import { installUpstream } from '../api/upstream-definitions.ts';
import { repository } from '../region/cache.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions, leaveNothingToPlace } from './region-hub.ts';

const text = readFileSync(join(repository, 'docs', 'region.md'), 'utf8');
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block);

describe('docs/region.md', () => {
  let city: City;

  beforeAll(async () => {
    city = await cluster();
    await installRegionDefinitions(city);
    // Names in the docs are short, and other tests may have used them.
    await leaveNothingToPlace(city);
    await installUpstream(city, 'ClusterProfile');
  });
  afterAll(async () => {
    await city.kubectl(['delete', 'crd', 'clusterprofiles.multicluster.x-k8s.io']);
  });

  const manifests = blocks('yaml').map((block) => load(block) as Manifest);

  test('has the kinds that it speaks of', () => {
    expect(new Set(manifests.map(({ kind }) => kind))).toEqual(
      new Set(['CityCluster', 'ClusterProfile', 'HorizontalPodAutoscaler', 'ModelService']),
    );
  });

  test.each(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    'shows what an API server accepts: %s',
    async (_, manifest) => {
      const create = ['create', '--dry-run=server', '--validate=strict', '-f', '-'];
      expect(await city.kubectl(create, JSON.stringify(manifest))).toContain('created (server dry run)');
    },
  );

  test.each(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    'shows no field that is ignored: %s',
    (_, { kind, spec }) => {
      if (kind === 'ModelService') expect(ModelServiceSpec.parse(spec)).toMatchObject(spec as object);
      if (kind === 'CityCluster') expect(CityClusterSpec.parse(spec)).toMatchObject(spec as object);
    },
  );

  const commands = [...text.matchAll(/node operator\/cli\/main\.ts ([^\n`]+)/g)].map(([, line = '']) =>
    line.trim(),
  );

  test.each(commands)('shows a command that exists: %s', (line) => {
    expect(parseCommand(line.split(' '))).toMatchObject({ name: line.split(' ')[0] });
  });

  test('shows every command', () => {
    const names = new Set(commands.map((line) => line.split(' ')[0]));
    expect(names).toEqual(new Set(['join', 'plan', 'status', 'cities', 'leave']));
  });
});
