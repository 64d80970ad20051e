/** The stage set: a whole Kubernetes cluster in a container, the operator by its chart, and a model store. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../test/region/cache.ts';
import { type City, listCities, removeContainer } from '../../test/region/city.ts';
import { ensureEngine } from '../../test/region/engine.ts';
import { modelStoreImage, projectImages } from '../../test/region/project-images.ts';
import { startCity } from '../../test/region/start-city.ts';
import type { Stage } from './stage.ts';
import { NAME, NAMESPACE } from './traffic-service.ts';

export const CITY_NAME = 'demo';
export const GPUS = 4;
const OPERATOR_NAMESPACE = 'aicity-system';
const NODE_PORT = 30_080;

export interface Images {
  readonly operator: string;
  readonly modelServer: string;
  readonly modelStore: string;
}

export async function buildImages(): Promise<Images> {
  return { ...(await projectImages()), modelStore: await modelStoreImage() };
}

/** A new city; that of an earlier demo goes first. */
export async function openCity(): Promise<City> {
  await ensureEngine();
  await closeCity();
  return await startCity({ name: CITY_NAME, gpus: GPUS, nodePorts: [NODE_PORT], keep: true });
}

export async function closeCity(): Promise<void> {
  for (const { name, container, owner } of await listCities())
    if (name === CITY_NAME && owner === 'kept') await removeContainer(container);
}

/** Number of `nvidia.com/gpu` that the nodes offer. */
export async function offeredGpus(city: City): Promise<number> {
  return Number(
    await city.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].status.allocatable.nvidia\\.com/gpu}']),
  );
}

export async function installOperator(city: City, images: Images, stage: Stage): Promise<void> {
  const settings = {
    'images.operator': images.operator,
    'images.modelServer': images.modelServer,
    // No GPU is behind the advertised ones, so the CPU image plays the GPU image.
    'images.modelServerGpu': images.modelServer,
  };
  stage.command(
    `helm install aicity-operator charts/aicity-operator -n ${OPERATOR_NAMESPACE} --create-namespace --set images.operator=… --wait`,
  );
  await city.helm([
    ...['install', 'aicity-operator', join(repository, 'charts', 'aicity-operator')],
    ...['--namespace', OPERATOR_NAMESPACE, '--create-namespace', '--wait', '--timeout', '5m'],
    ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]);
}

/** Replicas of the operator that are ready, and the pod that leads. */
export async function operatorState(city: City): Promise<{ ready: number; leader: string }> {
  const read = (kind: string, path: string) =>
    city.kubectl(['-n', OPERATOR_NAMESPACE, 'get', kind, 'aicity-operator', '-o', `jsonpath={${path}}`]);
  const [ready, holder] = await Promise.all([
    read('deployment', '.status.readyReplicas'),
    read('lease', '.spec.holderIdentity'),
  ]);
  return { ready: Number(ready), leader: holder.split('_')[0] ?? '' };
}

export async function openModelStore(city: City, images: Images, stage: Stage): Promise<void> {
  stage.command('kubectl apply -f examples/model-store/model-store.yaml');
  const manifest = readFileSync(new URL('../model-store/model-store.yaml', import.meta.url), 'utf8');
  await city.kubectl(['apply', '-f', '-'], manifest.replace(/image: \S+/, `image: ${images.modelStore}`));
  await city.kubectl(['-n', 'models', 'rollout', 'status', 'deployment/model-store', '--timeout=180s']);
}

/** The department's namespace, and a way in from this machine; returns the address of the traffic service there. */
export async function openNamespace(city: City): Promise<string> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
  const outside = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${NAME}-outside`, namespace: NAMESPACE },
    spec: {
      type: 'NodePort',
      selector: { 'aicity.io/service': NAME },
      ports: [{ port: 80, targetPort: 'http', nodePort: NODE_PORT }],
    },
  };
  for (const object of [namespace, outside]) await city.kubectl(['apply', '-f', '-'], JSON.stringify(object));
  return await city.url(NODE_PORT);
}

/** What helps to understand a demo that failed. */
export async function evidence(city: City): Promise<string> {
  const looks: [string, string[]][] = [
    ['model services', ['get', 'modelservices', '-A', '-o', 'wide']],
    ['pods', ['get', 'pods', '-A', '-o', 'wide']],
    ['latest events', ['get', 'events', '-A', '--sort-by=.lastTimestamp']],
    [
      'operator',
      ['logs', '-n', OPERATOR_NAMESPACE, '-l', 'app.kubernetes.io/name=aicity-operator', '--tail=30'],
    ],
    ['model servers', ['logs', '-n', NAMESPACE, '-l', `aicity.io/service=${NAME}`, '--tail=30']],
  ];
  const texts = looks.map(async ([title, args]) => {
    const text = await city.kubectl(args).catch((error: Error) => error.message);
    return `--- ${title}\n${text.split('\n').slice(-40).join('\n')}`;
  });
  return (await Promise.all(texts)).join('\n');
}
