import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { chart } from './helm.ts';
import { untilFurnished, untilKnown } from './readiness.ts';

/** The life of a release on a real API server. No pods run here; the end-to-end tests have those. */
describe('a release of the chart', () => {
  let city: City;
  let namespace: string;
  const kinds = 'deployment,service,serviceaccount,poddisruptionbudget,networkpolicy,role,rolebinding';

  beforeAll(async () => {
    city = await cluster();
    namespace = await city.freshNamespace('release');
    // What comes later would be taken for a change by an upgrade.
    await untilFurnished(city, namespace);
    // Other tests have applied the CRD by themselves.
    await release('install', ['--take-ownership']);
  });
  afterAll(async () => {
    await city.helm(['uninstall', 'aicity-operator', '-n', namespace, '--ignore-not-found']);
  });

  async function release(verb: 'install' | 'upgrade', args: string[] = []): Promise<string> {
    return await city.helm([verb, 'aicity-operator', chart, '-n', namespace, '--force-conflicts', ...args]);
  }

  async function versions(): Promise<Record<string, string>> {
    const list = JSON.parse(await city.kubectl(['get', kinds, '-n', namespace, '-o', 'json']));
    return Object.fromEntries(
      list.items.map(
        ({ kind, metadata }: { kind: string; metadata: { name: string; generation?: number } }) => [
          `${kind}/${metadata.name}`,
          String(metadata.generation ?? 0),
        ],
      ),
    );
  }

  test('needs nothing else in the cluster and tells the next step', async () => {
    expect(Object.keys(await versions())).toContain('Deployment/aicity-operator');
    const notes = await city.helm(['get', 'notes', 'aicity-operator', '-n', namespace]);
    expect(notes).toContain(`kubectl -n ${namespace} rollout status deployment/aicity-operator`);
  });

  test('shows in its notes a ModelService that the API server accepts', async () => {
    const notes = await city.helm(['get', 'notes', 'aicity-operator', '-n', namespace]);
    const manifest = /<<YAML\n([\s\S]*?)\n\s*YAML\n/.exec(notes)![1]!.replace(/^ {2}/gm, '');
    await untilKnown(city, 'modelservices.aicity.io');
    const answer = await city.kubectl(
      ['create', '--dry-run=server', '--validate=strict', '-n', namespace, '-f', '-'],
      manifest,
    );
    expect(answer).toContain('modelservice.aicity.io/traffic created');
  });

  test('upgrades to another operator image by changing its Deployment alone, the model server kept', async () => {
    const before = await versions();
    await release('upgrade', [
      '--reset-then-reuse-values',
      '--set',
      'images.operator=aicity/operator:another',
    ]);
    const after = await versions();
    const changed = Object.keys(after).filter((object) => after[object] !== before[object]);
    expect(changed).toEqual(['Deployment/aicity-operator']);
    const environment = await city.kubectl([
      'get',
      'deployment',
      'aicity-operator',
      '-n',
      namespace,
      '-o',
      'json',
    ]);
    const [container] = JSON.parse(environment).spec.template.spec.containers;
    expect(container.image).toBe('aicity/operator:another');
    const [{ app_version: version }] = JSON.parse(await city.helm(['list', '-n', namespace, '-o', 'json']));
    expect(container.env).toContainEqual({
      name: 'AICITY_MODEL_SERVER_IMAGE',
      value: `aicity/model-server:${version}`,
    });
  });

  test('does nothing when nothing has changed', async () => {
    await release('upgrade', ['--reset-then-reuse-values']);
    const before = await versions();
    await release('upgrade', ['--reset-then-reuse-values']);
    expect(await versions()).toEqual(before);
  });

  test('is the only one in its cluster: a second is refused with what collides', async () => {
    const second = await city.freshNamespace('second');
    await expect(city.helm(['install', 'another', chart, '-n', second])).rejects.toThrow(
      /cannot be (imported|adopted)|invalid ownership metadata/,
    );
  });

  test('takes the rights of the metrics adapter back when it is turned off', async () => {
    await release('upgrade', ['--set', 'metricsAdapter.enabled=false']);
    const roles = await city.kubectl(['get', 'clusterroles,clusterrolebindings', '-o', 'name']);
    expect(roles).not.toContain('aicity-operator-metrics');
    expect(roles).toContain('aicity-operator-edit');
  });

  test('leaves the CRD, and so every ModelService, when it is uninstalled', async () => {
    await city.helm(['uninstall', 'aicity-operator', '-n', namespace]);
    expect(Object.keys(await versions()).filter((object) => object.includes('aicity'))).toEqual([]);
    expect(await city.kubectl(['get', 'crd', 'modelservices.aicity.io', '-o', 'name'])).toContain(
      'modelservices',
    );
    const roles = await city.kubectl(['get', 'clusterroles,clusterrolebindings', '-o', 'name']);
    expect(roles).not.toContain('aicity-operator');
  });
});
