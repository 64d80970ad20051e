/** `status`: where a service runs, why there, and where its clients go. */
import type { ModelService } from '../../crds/model-service.ts';
import { isKubeError } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { CommandError, type Hub } from './hub.ts';
import { table } from './table.ts';

/** @returns what to tell the person */
export async function status(name: string, { client, namespace }: Hub): Promise<string> {
  const service = await client
    .get<ModelService & KubeObject>(resources.ModelService, { namespace, name })
    .catch((error: unknown) => {
      if (!isKubeError(error, 'notFound')) throw error;
      throw new CommandError(
        `there is no ModelService ${namespace}/${name}: name its namespace with --namespace`,
      );
    });
  return statusText(service);
}

export function statusText({ metadata, spec, status = {} }: ModelService): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const head = `${metadata.namespace}/${metadata.name}: ${status.readyOfWanted ?? `0/${spec.replicas}`} ready. ${ready ? `${ready.reason}: ${ready.message}` : 'The operator has not looked at it yet.'}`;
  if (!spec.placement) return head;
  const routed = status.conditions?.find(({ type }) => type === 'Routed');
  const route = routed ? `\nRoute: ${routed.reason}: ${routed.message}` : '';
  return `${head}${route}\n\n${cityTable(status)}`;
}

function cityTable({
  cities = [],
  decisions = [],
  endpoints = [],
}: NonNullable<ModelService['status']>): string {
  const names = [...new Set([...decisions, ...cities].map(({ city }) => city))].sort();
  if (names.length === 0) return 'No city has any of it.';
  const weights = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  const rows = names.map((name) => {
    const city = cities.find((one) => one.city === name);
    const decision = decisions.find((one) => one.city === name);
    const endpoint = endpoints.find((one) => one.city === name);
    return [
      name,
      city ? `${city.readyReplicas}/${city.guaranteed}${city.known ? '' : ' (unknown)'}` : '',
      decision ? String(decision.replicas) : '',
      city?.version ?? '',
      endpoint ? `${Math.round((100 * endpoint.weight) / weights)}%` : '',
      endpoint?.url ?? '',
      decision?.reason ?? '',
      decision?.message ?? '',
    ];
  });
  const head = ['CITY', 'READY', 'MEANT', 'VERSION', 'CLIENTS', 'URL', 'REASON', 'MESSAGE'];
  return table([head, ...rows]);
}
