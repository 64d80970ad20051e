/** The city of the demo: a whole Kubernetes cluster in a container, and a namespace for its traffic department. */
import { type City, listCities, removeContainer } from '../../test/region/city.ts';
import { ensureEngine } from '../../test/region/engine.ts';
import { OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../../test/region/installation.ts';
import { startCity } from '../../test/region/start-city.ts';
import { NAME, NAMESPACE } from './traffic-service.ts';

export const CITY_NAME = 'demo';
export const GPUS = 4;
const NODE_PORT = 30_080;

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

/** Number of `nvidia.com/gpu` that the node offers. */
export async function offeredGpus(city: City): Promise<number> {
  const path = 'jsonpath={.items[0].status.allocatable.nvidia\\.com/gpu}';
  return Number(await city.kubectl(['get', 'nodes', '-o', path]));
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
    ['latest warnings', ['get', 'events', '-A', '--field-selector=type=Warning', '--sort-by=.lastTimestamp']],
    ['operator', ['logs', '-n', OPERATOR_NAMESPACE, '-l', OPERATOR_SELECTOR, '--tail=30']],
    ['model servers', ['logs', '-n', NAMESPACE, '-l', `aicity.io/service=${NAME}`, '--tail=30']],
  ];
  const texts = looks.map(async ([title, args]) => {
    const text = await city.kubectl(args).catch((error: Error) => error.message);
    return `--- ${title}\n${text.split('\n').slice(-40).join('\n')}`;
  });
  return (await Promise.all(texts)).join('\n');
}
