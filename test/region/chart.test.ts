import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { repository } from './cache.ts';
import type { City } from './city.ts';
import { docker } from './docker.ts';
import { modelStoreImage, projectImages } from './project-images.ts';
import { startCity } from './start-city.ts';

jest.setTimeout(600_000);

const system = 'chart-system';
const models = 'chart-models';

/** What a restart or a replacement of a pod would change. */
type PodIdentity = { uid: string; restarts: number; image: string };

/** The chart, the images and real pods: what an installation does to them, and what an upgrade leaves alone. */
describe('an installation', () => {
  let city: City;
  let operator: string;

  beforeAll(async () => {
    const images = await projectImages();
    const modelStore = await modelStoreImage();
    operator = images.operator;
    city = await startCity({ name: 'chart', images: [images.operator, images.modelServer, modelStore] });
    // Both namespaces refuse pods that ask for any privilege.
    for (const namespace of [system, models]) {
      await city.kubectl(['create', 'namespace', namespace]);
      await city.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
    }
    const store = readFileSync(join(repository, 'examples', 'model-store', 'model-store.yaml'), 'utf8');
    await city.kubectl(['apply', '-f', '-'], store.replace(/image: \S+/, `image: ${modelStore}`));
    const set = (key: string, value: string) => ['--set', `images.${key}=${value}`];
    await helm('install', '--wait', '--timeout=3m', [
      ...set('operator', images.operator),
      ...set('modelServer', images.modelServer),
    ]);
  });
  afterAll(async () => await city?.stop());

  async function helm(verb: string, ...args: (string | string[])[]): Promise<string> {
    const chart = join(repository, 'charts', 'aicity-operator');
    return await city.helm([verb, 'aicity-operator', chart, '-n', system, ...args.flat()]);
  }

  async function pods(namespace: string, selector: string): Promise<PodIdentity[]> {
    const list = await city.kubectl(['get', 'pods', '-n', namespace, '-l', selector, '-o', 'json']);
    return JSON.parse(list)
      .items.map((pod: Pod) => ({
        uid: pod.metadata.uid,
        restarts: pod.status.containerStatuses?.[0]?.restartCount ?? 0,
        image: pod.spec.containers[0]?.image ?? '',
      }))
      .sort((a: PodIdentity, b: PodIdentity) => a.uid.localeCompare(b.uid));
  }
  const modelPods = () => pods(models, 'aicity.io/service=traffic');
  const operatorPods = () => pods(system, 'app.kubernetes.io/name=aicity-operator');

  test('has two replicas of the operator, of which one leads', async () => {
    expect((await operatorPods()).map(({ image, restarts }) => [image, restarts])).toEqual([
      [operator, 0],
      [operator, 0],
    ]);
    await untilSomebodyLeads();
  });

  test('serves a model under restricted pod security', async () => {
    await city.kubectl(['apply', '-n', models, '-f', '-'], traffic);
    await city.kubectl(['wait', '--for=condition=Ready', 'ms/traffic', '-n', models, '--timeout=240s']);
    expect(await modelPods()).toHaveLength(2);
  });

  test('keeps every model pod when the operator is upgraded to another image', async () => {
    const before = await modelPods();
    const another = `${operator}-another`;
    await relabel(operator, another);
    await city.loadImages([another]);
    await helm('upgrade', '--reset-then-reuse-values', '--wait', '--timeout=3m', [
      '--set',
      `images.operator=${another}`,
    ]);
    await city.until('only pods of the new operator are left', 120, async () =>
      (await operatorPods()).every(({ image }) => image === another),
    );
    await untilSomebodyLeads();
    // The new leader has looked at the service once it has taken up a change of it.
    await city.kubectl(['annotate', 'ms', 'traffic', '-n', models, 'example.org/look=1']);
    await city.kubectl(['scale', 'ms/traffic', '-n', models, '--replicas=3']);
    await city.until('the new operator has scaled', 120, async () => (await modelPods()).length === 3);
    expect(await modelPods()).toEqual(expect.arrayContaining(before));
  });

  test('keeps every model pod when the leader is killed', async () => {
    await city.kubectl(['wait', '--for=condition=Ready', 'ms/traffic', '-n', models, '--timeout=120s']);
    const before = await modelPods();
    const lease = ['get', 'lease', 'aicity-operator', '-n', system, '-o', holderPath];
    const leader = (await city.kubectl(lease)).split('_')[0]!;
    await city.kubectl(['delete', 'pod', leader, '-n', system, '--force', '--grace-period=0']);
    await city.until('another leads', 60, async () => !(await city.kubectl(lease)).startsWith(`${leader}_`));
    await untilSomebodyLeads();
    await city.kubectl(['wait', '--for=condition=Ready', 'ms/traffic', '-n', models, '--timeout=120s']);
    expect(await modelPods()).toEqual(before);
  });

  test('leaves the models running when the operator is uninstalled, and takes them up when it returns', async () => {
    const before = await modelPods();
    const values = JSON.parse(
      await city.helm(['get', 'values', 'aicity-operator', '-n', system, '-o', 'json']),
    );
    await city.helm(['uninstall', 'aicity-operator', '-n', system]);
    await city.until('the operator is gone', 120, async () => (await operatorPods()).length === 0);
    expect(await modelPods()).toEqual(before);
    const settings = Object.entries(values.images).flatMap(([key, value]) => [
      '--set',
      `images.${key}=${value}`,
    ]);
    await helm('install', '--wait', '--timeout=3m', settings);
    await city.kubectl(['scale', 'ms/traffic', '-n', models, '--replicas=2']);
    await city.until('the operator has scaled', 120, async () => (await modelPods()).length === 2);
    expect(before).toEqual(expect.arrayContaining(await modelPods()));
  });

  async function untilSomebodyLeads(): Promise<void> {
    await city.until('a pod that exists leads', 60, async () => {
      const holder = await city.kubectl(['get', 'lease', 'aicity-operator', '-n', system, '-o', holderPath]);
      const pod = ['get', 'pod', holder.split('_')[0]!, '-n', system, '--ignore-not-found', '-o', 'name'];
      return (await city.kubectl(pod)) !== '';
    });
  }
});

interface Pod {
  metadata: { uid: string };
  spec: { containers: { image: string }[] };
  status: { containerStatuses?: { restartCount: number }[] };
}

const holderPath = 'jsonpath={.spec.holderIdentity}';

/** The same operator as another image: another label gives it another identity. */
async function relabel(image: string, another: string): Promise<void> {
  const container = await docker(['create', image]);
  await docker(['commit', '--change', 'LABEL io.aicity.test.another=1', container, another]);
  await docker(['rm', container]);
}

const traffic = `
apiVersion: aicity.io/v1alpha1
kind: ModelService
metadata:
  name: traffic
spec:
  model:
    uri: http://model-store.models.svc/traffic
    version: 1
  replicas: 2
  gpu:
    count: 0
  resources:
    requests: {cpu: 50m, memory: 400Mi}
`;
