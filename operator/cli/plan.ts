/** `plan`: what would happen if the services in a file were applied. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { loadAll } from 'js-yaml';
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { CityReport } from '../../crds/city-report.ts';
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { replicaCount } from '../plan/wording.ts';
import { type Forecast, forecast, type HubObjects } from './forecast.ts';
import { CommandError, explained, type Hub, noHub } from './hub.ts';
import { table } from './table.ts';

/** 2: the API server would accept it, and some replicas would wait. */
export type PlanStatus = 0 | 2;

/** @returns what to tell the person, and the exit status */
export async function plan(
  files: readonly string[],
  hub: Hub,
  now: Date,
): Promise<{ text: string; status: PlanStatus }> {
  const wanted = (await Promise.all(files.map(readServices))).flat();
  const proposed: ModelService[] = [];
  for (const service of wanted) proposed.push(await checked(service, hub));
  const placed = proposed.filter(({ spec }) => spec.placement);
  const forecasts = placed.length > 0 ? forecast(await hubObjects(hub), proposed, now.getTime()) : [];
  const unplaced = proposed.filter(({ spec }) => !spec.placement);
  return {
    text: [
      ...forecasts.map(forecastText),
      ...unplaced.map(
        ({ metadata, spec }) =>
          `${metadata.namespace}/${metadata.name}: accepted; it has no spec.placement, so its ${replicaCount(spec.replicas)} run in this cluster.`,
      ),
    ].join('\n\n'),
    status: forecasts.some(({ waiting }) => waiting > 0) ? 2 : 0,
  };
}

export function forecastText({ key, isProposed, wanted, before, after, waiting, why }: Forecast): string {
  const cities = [...new Set([...before.keys(), ...after.map(({ city }) => city)])].sort();
  const rows = cities.map((city) => {
    const decision = after.find((one) => one.city === city);
    return [
      city,
      `${before.get(city) ?? 0} → ${decision?.replicas ?? 0}`,
      decision?.reason ?? '',
      decision?.message ?? '',
    ];
  });
  const placed = wanted - waiting;
  const head = isProposed
    ? `${key}: ${placed} of ${replicaCount(wanted)} would have a city.`
    : `${key}, which is not in the file, would move:`;
  return [
    head,
    ...(rows.length > 0 ? [table([['CITY', 'REPLICAS', 'REASON', 'MESSAGE'], ...rows])] : []),
    ...(waiting > 0 ? [`${replicaCount(waiting)} would wait${why ? `: ${why}` : ''}`] : []),
  ].join('\n');
}

async function readServices(file: string): Promise<KubeObject[]> {
  const content = await (file === '-' ? text(process.stdin) : readFile(file, 'utf8')).catch(
    (error: Error) => {
      throw new CommandError(`${file} cannot be read: ${error.message}`);
    },
  );
  const objects = documents(content, file);
  const services = objects.filter(
    ({ kind, apiVersion }) => kind === 'ModelService' && apiVersion === API_VERSION,
  );
  if (services.length > 0) return services;
  throw new CommandError(`${file} has no ModelService of ${API_VERSION}`);
}

function documents(content: string, file: string): KubeObject[] {
  try {
    return (loadAll(content) as (KubeObject | null | undefined)[]).filter((object) => object != null);
  } catch (error) {
    throw new CommandError(`${file} is no YAML: ${(error as Error).message}`);
  }
}

/** As `kubectl apply --server-side --force-conflicts` calls itself, so that what a file leaves out is taken away. */
const KUBECTL = 'kubectl';

/** As the API server would store it, defaults and all. */
async function checked(service: KubeObject, { client, namespace }: Hub): Promise<ModelService> {
  const { name, namespace: own = namespace } = service.metadata ?? {};
  if (!name) throw new CommandError('a ModelService in the file has no metadata.name');
  const object = { ...service, metadata: { ...service.metadata, name, namespace: own } };
  try {
    return await client.apply<ModelService & KubeObject>(resources.ModelService, object, {
      fieldManager: KUBECTL,
      force: true,
      dryRun: true,
    });
  } catch (error) {
    throw new CommandError(`${own}/${name} would be refused: ${explained(error)}`);
  }
}

async function hubObjects({ client }: Hub): Promise<HubObjects> {
  const [cities, reports, services] = await Promise.all([
    client.list<CityCluster & KubeObject>(resources.CityCluster).catch(noHub),
    client.list<CityReport & KubeObject>(resources.CityReport),
    client.list<ModelService & KubeObject>(resources.ModelService),
  ]);
  return { cities: cities.items, reports: reports.items, services: services.items };
}
