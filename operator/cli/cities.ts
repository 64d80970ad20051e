/** `cities`: one line per city. */
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { type Hub, noHub } from './hub.ts';
import { table } from './table.ts';

/** @returns what to tell the person */
export async function cities({ client }: Hub): Promise<string> {
  const { items } = await client.list<CityCluster & KubeObject>(resources.CityCluster).catch(noHub);
  if (items.length === 0) return 'This hub has no cities yet: kubectl aicity join CITY';
  const rows = items.map(({ metadata, status }) => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    return [
      metadata.name,
      ready?.status ?? 'Unknown',
      ready?.reason ?? '',
      String(status?.services ?? ''),
      String(status?.replicas ?? ''),
      status?.free ?? '',
      ready?.message ?? '',
    ];
  });
  return table([['CITY', 'READY', 'REASON', 'SERVICES', 'REPLICAS', 'FREE', 'MESSAGE'], ...rows]);
}
