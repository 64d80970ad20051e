/** The region of the demo: a hub and three cities, each a whole Kubernetes cluster in a container. */
import { listCities, removeContainer } from '../../test/region/city.ts';
import { ensureEngine } from '../../test/region/engine.ts';
import { type Images, OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../../test/region/installation.ts';
import { HUB_NAME, NETWORK, Region } from '../../test/region/region.ts';
import { NAME, NAMESPACE } from './traffic-service.ts';

/** `nvidia.com/gpu` that the node of each city offers. */
export const GPUS = 2;
export const CITIES = {
  porto: { gpus: GPUS, labels: { region: 'norte' } },
  lisboa: { gpus: GPUS, labels: { region: 'centro' } },
  faro: { gpus: GPUS, labels: { region: 'sul' } },
} as const;

/** A new region; that of an earlier demo goes first. */
export async function openRegion(images: Images): Promise<Region> {
  await ensureEngine();
  await closeRegion();
  const region = await Region.start({ images, cities: CITIES, keep: true });
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
  for (const city of [region.hub, ...region.cities.values()])
    await city.kubectl(['apply', '-f', '-'], JSON.stringify(namespace));
  return region;
}

export async function closeRegion(): Promise<void> {
  const ours = (await listCities()).filter(({ owner, wan }) => owner === 'kept' && wan === NETWORK);
  await Promise.all(ours.map(({ container }) => removeContainer(container)));
}

/** What helps to understand a demo that failed. */
export async function evidence(region: Region): Promise<string> {
  const looks: [string, string[]][] = [
    ['model services', ['get', 'modelservices', '-A', '-o', 'wide']],
    ['operator', ['logs', '-n', OPERATOR_NAMESPACE, '-l', OPERATOR_SELECTOR, '--tail=25']],
  ];
  const ofHub: [string, string[]][] = [
    ['cities', ['get', 'cityclusters', '-o', 'wide']],
    ['status', ['get', 'modelservice', NAME, '-n', NAMESPACE, '-o', 'yaml']],
  ];
  const ofCity: [string, string[]][] = [
    ['pods', ['get', 'pods', '-A', '-o', 'wide']],
    ['model servers', ['logs', '-n', NAMESPACE, '-l', `aicity.io/service=${NAME}`, '--tail=15']],
  ];
  const clusters = [[HUB_NAME, region.hub] as const, ...region.cities];
  const texts = clusters.flatMap(([name, city]) => {
    return [...looks, ...(name === HUB_NAME ? ofHub : ofCity)].map(async ([title, args]) => {
      const text = await city.kubectl(args).catch((error: Error) => error.message);
      return `--- ${name}: ${title}\n${text.split('\n').slice(-60).join('\n')}`;
    });
  });
  return (await Promise.all(texts)).join('\n');
}
