import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import { API_VERSION, ModelServiceSpec } from '../../../crds/model-service.ts';
import { RELEASES } from '../../../examples/traffic/releases.ts';

const root = join(import.meta.dirname, '..', '..', '..', 'examples');
const manifests = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .sort();

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec?: unknown;
}
const read = (file: string) => loadAll(readFileSync(join(root, file), 'utf8')) as Manifest[];

test('there are manifests', () => expect(manifests).toContain('traffic/traffic-model.yaml'));

describe.each(manifests)('%s', (file) => {
  test('holds named objects', () => {
    for (const { apiVersion, kind, metadata } of read(file)) {
      expect([apiVersion, kind, metadata.name]).toEqual(Array(3).fill(expect.stringMatching(/./)));
    }
  });

  test('holds only fields that a ModelService has', () => {
    for (const { apiVersion, kind, spec } of read(file)) {
      if (kind !== 'ModelService') continue;
      expect(apiVersion).toBe(API_VERSION);
      // What the schema does not know it leaves out, so what was written must still be there.
      expect(ModelServiceSpec.parse(spec)).toMatchObject(spec as object);
    }
  });
});

test('the traffic service names a version that stands in the store', () => {
  const [service] = read('traffic/traffic-model.yaml');
  const { version } = ModelServiceSpec.parse(service?.spec).model;
  expect(RELEASES.map((release) => release.version)).toContain(version);
});
