import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import type { ChartValues } from '../../crds/chart-values.ts';
import type { CityCluster } from '../../crds/city-cluster.ts';
import { cityNamespace } from '../../crds/region.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromText } from '../../operator/kube/kubeconfig.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { render } from '../api/helm.ts';
import { repository } from '../region/cache.ts';
import type { City } from '../region/city.ts';
import { CommandFailed, run } from '../region/command.ts';
import { cluster } from './cluster.ts';
import { TestHub } from './hub-in.ts';
import { leaveNothingToPlace } from './region-hub.ts';

/** The program as people call it, against a real API server beside which the hub's joining works. */
describe('the command line', () => {
  let city: City;
  let hub: TestHub;
  let folder: string;
  const name = `porto-${Date.now().toString(36)}`;

  beforeAll(async () => {
    city = await cluster();
    hub = await TestHub.start(city);
    await leaveNothingToPlace(city);
    folder = await mkdtemp(join(tmpdir(), 'aicity-cli-'));
  });
  afterAll(async () => {
    await city.kubectl(['delete', 'cityclusters', name, '--ignore-not-found', '--wait=false']);
    await hub.stop();
    await rm(folder, { recursive: true });
  });

  const main = join(repository, 'operator', 'cli', 'main.ts');
  async function aicity(...args: string[]): Promise<string> {
    return await run(process.execPath, [main, ...args, '--kubeconfig', city.kubeconfigPath], {
      directory: folder,
    });
  }
  async function failing(...args: string[]): Promise<{ status: number | null; output: string }> {
    return await aicity(...args).then(
      (output) => ({ status: 0, output }),
      (error: unknown) => {
        if (!(error instanceof CommandFailed)) throw error;
        return { status: error.status, output: error.output };
      },
    );
  }
  const values = async () =>
    load(await readFile(join(folder, `aicity-city-${name}.yaml`), 'utf8')) as Pick<ChartValues, 'city'>;

  test('says that a hub without cities has none', async () => {
    const { items } = await hub.admin.list(resources.CityCluster);
    for (const { metadata } of items) await hub.admin.delete(resources.CityCluster, { name: metadata.name });
    await city.until(
      'there are none',
      60,
      async () => (await hub.admin.list(resources.CityCluster)).items.length === 0,
    );
    expect(await aicity('cities')).toContain('This hub has no cities yet');
  });

  test('joins a city: makes it, waits for its token, and writes it where only its owner can read', async () => {
    const output = await aicity(
      'join',
      name,
      '--label',
      'country=pt',
      '--address-range',
      '203.0.113.0/24',
      '--server',
      'https://hub.example.org:6443',
    );
    expect(output).toContain(
      `CityCluster ${name} has been made; its namespace on the hub is ${cityNamespace(name)}.`,
    );
    expect(output).toContain(`--values aicity-city-${name}.yaml`);
    const { mode } = await stat(join(folder, `aicity-city-${name}.yaml`));
    expect(mode & 0o777).toBe(0o600);
    const { token } = (await values()).city.hub;
    expect(output).not.toContain(token);
    const { metadata, spec } = await hub.admin.get<CityCluster & KubeObject>(resources.CityCluster, { name });
    expect(metadata.labels).toMatchObject({ country: 'pt' });
    expect(spec).toMatchObject({ addressRanges: ['203.0.113.0/24'] });
  });

  test('refuses a range of addresses that is none, with what was found', async () => {
    const { status, output } = await failing('join', name, '--address-range', '203.0.113.0');
    expect(status).toBe(1);
    expect(output).toMatch(/spec\.addressRanges\[0\].*203\.0\.113\.0.*expected a range of addresses/s);
  });

  test('what it wrote is what the chart takes, and what it makes of that leads to the shares of the city', async () => {
    const file = join(folder, `aicity-city-${name}.yaml`);
    const settings = await values();
    expect(settings.city.hub.server).toBe('https://hub.example.org:6443');
    const chart = await render([
      `city.name=${name}`,
      `city.hub.server=${settings.city.hub.server}`,
      `city.hub.token=${settings.city.hub.token}`,
    ]);
    expect(chart).toContain(settings.city.hub.token);
    await aicity('join', name, '--format', 'secret', '--output', file);
    const secret = load(await readFile(file, 'utf8')) as { stringData: { kubeconfig: string } };
    const client = new HttpKubeClient({ loadConfig: fromText(secret.stringData.kubeconfig) });
    const { items } = await client.list(resources.ModelService, { namespace: cityNamespace(name) });
    expect(items).toEqual([]);
    await client.close();
  });

  test('warns when the hub is known by an address of this machine, which no city reaches', async () => {
    expect(await aicity('join', name)).toContain(
      "give the hub's address as the city reaches it with --server",
    );
  });

  test('does not overwrite a file that it has not written', async () => {
    await writeFile(join(folder, 'notes.txt'), 'mine');
    const { status, output } = await failing('join', name, '--output', 'notes.txt');
    expect(status).toBe(1);
    expect(output).toContain('notes.txt is there already and was not written by this command');
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('gives out another token, and the one before is worthless', async () => {
    const before = (await values()).city.hub.token;
    await aicity('join', name, '--rotate');
    const after = (await values()).city.hub.token;
    expect(after).not.toBe(before);
    const old = hub.connectAs(before);
    const current = hub.connectAs(after);
    const namespace = cityNamespace(name);
    await city.until('the old token is refused', 60, async () =>
      old.list(resources.ModelService, { namespace }).then(
        () => false,
        ({ status }) => status === 401,
      ),
    );
    expect((await current.list(resources.ModelService, { namespace })).items).toEqual([]);
    await Promise.all([old.close(), current.close()]);
  });

  test('prints the token only when asked to', async () => {
    const output = await aicity('join', name, '--output', '-');
    expect((load(output) as Pick<ChartValues, 'city'>).city.hub.token).toBe((await values()).city.hub.token);
  });

  const service = (replicas: number, more = '') => `apiVersion: aicity.io/v1alpha1
kind: ModelService
metadata: {name: traffic, namespace: default}
spec:
  model: {uri: 'https://models.example.org/traffic'}
  replicas: ${replicas}
  gpu: {count: 0}
${more}`;
  const placed = '  placement:\n    residency: {matchLabels: {country: pt}}\n';

  test('plans: what would wait, with status 2, and nothing is written', async () => {
    await writeFile(join(folder, 'traffic.yaml'), service(2, placed));
    const { status, output } = await failing('plan', '-f', 'traffic.yaml');
    expect(output).toContain('default/traffic: 0 of 2 replicas would have a city.');
    expect(output).toMatch(/2 replicas would wait: .+/);
    expect(status).toBe(2);
    const { items } = await hub.admin.list(resources.ModelService, { namespace: 'default' });
    expect(items).toEqual([]);
  });

  test('plans: with a city that is heard and has room, with status 0', async () => {
    const namespace = cityNamespace(name);
    const token = (await values()).city.hub.token;
    const client = hub.connectAs(token);
    const capacity = ['cpu', 'memory'].map((resource) => ({
      resource,
      total: 1e12,
      forShares: 1e12,
      used: 0,
    }));
    await client.request({
      method: 'PATCH',
      path: `/apis/aicity.io/v1alpha1/namespaces/${namespace}/cityreports/city`,
      contentType: 'application/merge-patch+json',
      body: { report: { session: 's', sequence: 1, capacity } },
    });
    await client.close();
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: 'Heard',
      message: `${name} is heard`,
      observedGeneration: 1,
      lastTransitionTime: '2026-03-01T12:00:00Z',
    };
    await hub.admin.patchStatus(
      resources.CityCluster,
      { metadata: { name }, status: { conditions: [condition] } } as KubeObject,
      { fieldManager: 'test', method: 'merge' },
    );
    const output = await aicity('plan', '-f', 'traffic.yaml');
    expect(output).toContain('default/traffic: 2 of 2 replicas would have a city.');
    expect(output).toMatch(new RegExp(`${name} +0 → 2 +Starting`));
    expect(await aicity('cities')).toMatch(new RegExp(`${name} +True +Heard`));
  });

  test('plans: what the API server refuses, with status 1 and its sentence', async () => {
    await writeFile(join(folder, 'wrong.yaml'), service(-1, placed));
    const { status, output } = await failing('plan', '-f', 'wrong.yaml');
    expect(status).toBe(1);
    expect(output).toContain('default/traffic would be refused: ');
    expect(output).toContain('spec.replicas');
  });

  test.each([
    ['no YAML', 'a: [', 'is no YAML'],
    ['nothing of ours', 'kind: ConfigMap\nmetadata: {name: x}', 'has no ModelService of aicity.io/v1alpha1'],
  ])('plans nothing of a file with %s', async (_, content, sentence) => {
    await writeFile(join(folder, 'other.yaml'), content);
    const { status, output } = await failing('plan', '-f', 'other.yaml');
    expect(status).toBe(1);
    expect(output).toContain(sentence);
  });

  test('lets no city go that runs replicas, unless told', async () => {
    await hub.admin.patchStatus(
      resources.CityCluster,
      { metadata: { name }, status: { replicas: 3 } } as KubeObject,
      { fieldManager: 'test', method: 'merge' },
    );
    const { status, output } = await failing('leave', name);
    expect(status).toBe(1);
    expect(output).toContain(`${name} runs 3 replicas: drain it first`);
    // The garbage collector may be late.
    expect(await aicity('leave', name, '--now', '--timeout', '240')).toContain(
      `CityCluster ${name} and its namespace ${cityNamespace(name)} are gone`,
    );
    expect((await failing('leave', name)).output).toContain(`there is no CityCluster ${name} on this hub`);
  });

  test('says what is wrong with a kubeconfig', async () => {
    const none = run(process.execPath, [main, 'cities', '--kubeconfig', join(folder, 'none')]);
    await expect(none).rejects.toThrow('no such file');
    expect((await failing('cities', '--context', 'elsewhere')).output).toContain(
      '"elsewhere" names no cluster',
    );
  });
});
