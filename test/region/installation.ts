/** The product as a user installs it into a city: the operator by its chart, and the example model store. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './cache.ts';
import type { City } from './city.ts';
import { modelStoreImage, type ProjectImages, projectImages } from './project-images.ts';

export const OPERATOR_NAMESPACE = 'aicity-system';
/** Selects the operator's pods. */
export const OPERATOR_SELECTOR = 'app.kubernetes.io/name=aicity-operator';

/** All that runs in a city in which the examples work. */
export interface Images extends ProjectImages {
  readonly modelStore: string;
}

/** Builds what the engine does not hold yet. */
export async function installationImages(): Promise<Images> {
  return { ...(await projectImages()), modelStore: await modelStoreImage() };
}

/**
 * Installs the operator, or brings one that is there to these images, and waits until its pods are ready.
 *
 * @param flags more of them for helm
 */
export async function installOperator(
  city: City,
  images: ProjectImages,
  flags: readonly string[] = [],
): Promise<void> {
  const settings = {
    'images.operator': images.operator,
    'images.modelServer': images.modelServer,
    // No GPU is behind the advertised ones, so the CPU image plays the GPU image.
    'images.modelServerGpu': images.modelServer,
  };
  await city.helm([
    ...['upgrade', '--install', 'aicity-operator', join(repository, 'charts', 'aicity-operator')],
    ...['--namespace', OPERATOR_NAMESPACE, '--create-namespace', '--wait', '--timeout', '5m', ...flags],
    ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]);
}

/** Replicas of the operator that are ready, and the pod that leads, once one does: a lease outlives a killed holder. */
export async function operatorState(city: City): Promise<{ ready: number; leader: string }> {
  const read = (kind: string, path: string, name = 'aicity-operator') =>
    city.kubectl(['-n', OPERATOR_NAMESPACE, 'get', kind, name, '-o', `jsonpath={${path}}`]);
  let state = { ready: 0, leader: '' };
  await city.until('a pod that is there leads', 60, async () => {
    const [ready, holder] = await Promise.all([
      read('deployment', '.status.readyReplicas'),
      read('lease', '.spec.holderIdentity'),
    ]);
    state = { ready: Number(ready), leader: holder.split('_')[0] ?? '' };
    return state.leader !== '' && (await read('pod', '.metadata.deletionTimestamp', state.leader)) === '';
  });
  return state;
}

/** The example models at `http://model-store.models.svc/traffic`. */
export async function openModelStore(city: City, { modelStore }: Pick<Images, 'modelStore'>): Promise<void> {
  const file = join(repository, 'examples', 'model-store', 'model-store.yaml');
  const manifest = readFileSync(file, 'utf8').replace(/image: \S+/, `image: ${modelStore}`);
  await city.kubectl(['apply', '-f', '-'], manifest);
  await city.kubectl(['-n', 'models', 'rollout', 'status', 'deployment/model-store', '--timeout=180s']);
}
