/** `leave`: takes a city off the hub. */
import type { CityCluster } from '../../crds/city-cluster.ts';
import { cityNamespace } from '../../crds/region.ts';
import { isKubeError } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { replicaCount } from '../plan/wording.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Command } from './arguments.ts';
import { CommandError, type Hub } from './hub.ts';
import { until } from './waiting.ts';

type Leave = Extract<Command, { name: 'leave' }>;

/** @returns what to tell the person */
export async function leave(
  { city, now, timeoutSeconds }: Leave,
  { client }: Hub,
  clock: Clock,
): Promise<string> {
  const { metadata, status } = await theCity(city, client);
  const replicas = status?.replicas ?? 0;
  if (replicas > 0 && !now) {
    throw new CommandError(
      `${city} runs ${replicaCount(replicas)}: drain it first with "kubectl patch city ${city} --type=merge -p '{"spec":{"drain":true}}'" and try again when "kubectl get city ${city}" shows none, or leave with --now`,
    );
  }
  await client.delete(resources.CityCluster, { name: city }, { uid: metadata.uid });
  const namespace = cityNamespace(city);
  const isGone = await until(clock, timeoutSeconds, async () =>
    (await exists(namespace, client)) ? undefined : true,
  );
  return [
    isGone
      ? `CityCluster ${city} and its namespace ${namespace} are gone, and its token is worthless.`
      : `CityCluster ${city} is gone; its namespace ${namespace} is still being removed: kubectl get namespace ${namespace}`,
    'The city itself goes on with what it has. To end that, remove what came from the hub there:',
    '  kubectl delete modelservices --all-namespaces --selector aicity.io/from-hub',
  ].join('\n');
}

async function theCity(name: string, client: Hub['client']): Promise<CityCluster> {
  try {
    return await client.get<CityCluster & KubeObject>(resources.CityCluster, { name });
  } catch (error) {
    if (isKubeError(error, 'notFound')) throw new CommandError(`there is no CityCluster ${name} on this hub`);
    throw error;
  }
}

async function exists(namespace: string, client: Hub['client']): Promise<boolean> {
  try {
    await client.get(resources.Namespace, { name: namespace });
    return true;
  } catch (error) {
    if (isKubeError(error, 'notFound')) return false;
    throw error;
  }
}
