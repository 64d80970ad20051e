import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { untilFurnished, untilKnown } from './readiness.ts';

const root = join(import.meta.dirname, '..', '..');
const examples = join(root, 'examples');
/** They hold kinds of other projects, and have tests of their own. */
const elsewhere = /^(karmada|open-cluster-management)\//;
const manifests = readdirSync(examples, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml') && !elsewhere.test(file))
  .sort();

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: { template?: { metadata: object; spec: object } };
}

/** An API server takes every example as it is written, in a namespace that allows nothing that needs rights. */
describe.each(manifests)('%s', (file) => {
  const objects = loadAll(readFileSync(join(examples, file), 'utf8')) as Manifest[];
  let city: City;
  let namespace: string;

  beforeAll(async () => {
    city = await cluster();
    await city.apply(readFileSync(join(root, 'crds', 'modelservices.aicity.io.yaml'), 'utf8'));
    await untilKnown(city, 'modelservices.aicity.io');
    namespace = await city.freshNamespace('example');
    await untilFurnished(city, namespace); // no pod is accepted before its account is there
    await city.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
  });

  const dryRun = async (object: Manifest) => {
    const placed =
      object.kind === 'Namespace' ? object : { ...object, metadata: { ...object.metadata, namespace } };
    return await city.kubectl(
      ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
      JSON.stringify(placed),
    );
  };

  test.each(objects.map((object) => [object.kind, object.metadata.name, object] as const))(
    '%s %s is accepted',
    async (_kind, name, object) => {
      expect(await dryRun(object)).toContain(`/${name} `);
    },
  );

  const templates = objects.filter(({ spec }) => spec?.template);
  for (const { metadata, spec } of templates) {
    test(`pods of ${metadata.name} need no rights`, async () => {
      const pod = { ...spec?.template, apiVersion: 'v1', kind: 'Pod' };
      const named = { ...pod, metadata: { ...pod.metadata, name: metadata.name } };
      expect(await dryRun(named as Manifest)).toContain(`pod/${metadata.name} `);
    });
  }
});
