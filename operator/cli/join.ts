/** `join`: makes a city known to the hub and fetches what its operator needs to dial in. */
import { readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import type { CityCluster } from '../../crds/city-cluster.ts';
import { API_VERSION } from '../../crds/model-service.ts';
import { CITY_OBJECTS, cityNamespace } from '../../crds/region.ts';
import { isKubeError } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { tokenSecret } from '../plan/hub/joining.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Command } from './arguments.ts';
import { FILE_MARK, HUB_SECRET_NAME, type HubAccess, secretFile, valuesFile } from './city-files.ts';
import { CommandError, type Hub, noHub } from './hub.ts';
import { operatorNamespace, until } from './waiting.ts';

type Join = Extract<Command, { name: 'join' }>;

/** Who writes what a person asked for by this tool. */
export const FIELD_MANAGER = 'kubectl-aicity';

/** @returns what to tell the person */
export async function join(command: Join, hub: Hub, clock: Clock): Promise<string> {
  const { city, format, output = `aicity-city-${city}.yaml` } = command;
  const isNew = await makeCity(command, hub);
  if (command.rotate) await takeTokenBack(city, hub);
  const token = await untilToken(command, hub, clock);
  const access: HubAccess = { ...reach(command, hub), city, token };
  const namespace = operatorNamespace;
  const text = format === 'values' ? valuesFile(access) : secretFile(access, namespace);
  if (output === '-') return text.trimEnd();
  await writePrivate(output, text);
  return [
    `CityCluster ${city} ${isNew ? 'has been made' : 'is there'}; its namespace on the hub is ${cityNamespace(city)}.`,
    `${output} holds the city's token: carry it over a safe channel and delete it after use.`,
    ...warnings(access),
    '',
    'In the city:',
    ...installation(format, output, namespace, city).map((line) => `  ${line}`),
  ].join('\n');
}

function installation(format: Join['format'], file: string, namespace: string, city: string): string[] {
  const install = `helm upgrade --install aicity-operator charts/aicity-operator --namespace ${namespace} --create-namespace --reset-then-reuse-values`;
  if (format === 'values') return [`${install} --values ${file}`];
  return [
    `kubectl create namespace ${namespace} --dry-run=client -o yaml | kubectl apply -f -`,
    `kubectl apply -f ${file}`,
    `${install} --set city.name=${city} --set city.hub.kubeconfigSecret=${HUB_SECRET_NAME}`,
  ];
}

/** @returns whether it was not there */
async function makeCity({ city, labels, addressRanges }: Join, { client }: Hub): Promise<boolean> {
  const asked = {
    ...(Object.keys(labels).length > 0 && { metadata: { labels } }),
    ...(addressRanges.length > 0 && { spec: { addressRanges } }),
  };
  const object = {
    apiVersion: API_VERSION,
    kind: 'CityCluster',
    spec: {},
    ...asked,
    metadata: { name: city, ...asked.metadata },
  };
  let isNew = true;
  try {
    await client.create(resources.CityCluster, object as KubeObject, { fieldManager: FIELD_MANAGER });
  } catch (error) {
    if (!isKubeError(error) || error.reason !== 'AlreadyExists') return noHub(error);
    isNew = false;
  }
  if (!isNew && Object.keys(asked).length > 0) {
    await client.request({
      method: 'PATCH',
      path: `/apis/${API_VERSION}/cityclusters/${city}`,
      query: { fieldManager: FIELD_MANAGER },
      contentType: 'application/merge-patch+json',
      body: asked,
    });
  }
  return isNew;
}

/** Deleting the Secret is what makes its token worthless; the new one is made here, since the hub watches no Secrets. */
async function takeTokenBack(city: string, { client }: Hub): Promise<void> {
  const name = { namespace: cityNamespace(city), name: CITY_OBJECTS.tokenSecret };
  try {
    await client.delete(resources.Secret, name);
    await client.create(resources.Secret, tokenSecret(city), { fieldManager: FIELD_MANAGER });
  } catch (error) {
    if (isKubeError(error, 'notFound')) return; // The hub is about to make the first one.
    if (!isKubeError(error) || error.reason !== 'AlreadyExists') throw error;
  }
}

interface TokenSecret extends KubeObject {
  readonly data?: { readonly token?: string };
}

async function untilToken({ city, timeoutSeconds }: Join, hub: Hub, clock: Clock): Promise<string> {
  const namespace = cityNamespace(city);
  const found = await until(clock, timeoutSeconds, async () => {
    await refuseTaken(city, hub);
    try {
      const name = { namespace, name: CITY_OBJECTS.tokenSecret };
      return (await hub.client.get<TokenSecret>(resources.Secret, name)).data?.token;
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  });
  if (found !== undefined) return Buffer.from(found, 'base64').toString('utf8');
  throw new CommandError(
    `the hub has not made Secret ${namespace}/${CITY_OBJECTS.tokenSecret} within ${timeoutSeconds} s: is its operator running, with hub.enabled=true? See: kubectl -n ${operatorNamespace} get pods`,
  );
}

async function refuseTaken(city: string, { client }: Hub): Promise<void> {
  const { status } = await client.get<CityCluster & KubeObject>(resources.CityCluster, { name: city });
  const taken = status?.conditions?.find(({ reason }) => reason === 'NamespaceTaken');
  if (taken) throw new CommandError(taken.message);
}

/** The kubeconfig's own way to the hub, which is known to work from here. */
function reach({ server, address }: Join, { config }: Hub): Pick<HubAccess, 'server' | 'caData' | 'address'> {
  const { server: known = '', caData } = caOf(config);
  return {
    server: (server ?? known).replace(/\/$/, ''),
    ...(caData && { caData }),
    ...(address && { address }),
  };
}

function caOf(config: Hub['config']): { server?: string; caData?: string } {
  const { server, caData, caFile } = config.getCurrentCluster() ?? {};
  const read = caData ?? (caFile ? readFileSync(caFile).toString('base64') : undefined);
  return { ...(server && { server }), ...(read && { caData: read }) };
}

function warnings({ server }: HubAccess): string[] {
  const { hostname } = new URL(server);
  if (!/^(localhost|127\.|\[::1\])/.test(hostname)) return [];
  return [`${server} is this machine: give the hub's address as the city reaches it with --server.`];
}

/** Only the owner can read it. A file of another kind is not overwritten. */
async function writePrivate(file: string, text: string): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before !== undefined && !before.startsWith(FILE_MARK)) {
    throw new CommandError(
      `${file} is there already and was not written by this command: choose another --output`,
    );
  }
  try {
    await writeFile(file, text, { mode: 0o600 });
    await chmod(file, 0o600); // A file that was there keeps its mode otherwise.
  } catch (error) {
    throw new CommandError(`${file} cannot be written: ${(error as Error).message}`);
  }
}
