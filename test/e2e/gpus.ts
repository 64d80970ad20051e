import type { City } from '../region/city.ts';

const RESOURCE = 'nvidia.com/gpu';

interface Pod {
  spec: { nodeName?: string; containers: { resources?: { limits?: Record<string, string> } }[] };
  status: { phase: string };
}

/** GPUs that pods hold now, whoever they belong to. */
export async function heldGpus(city: City): Promise<number> {
  const { items } = JSON.parse(await city.kubectl(['get', 'pods', '-A', '-o', 'json'])) as { items: Pod[] };
  return items
    .filter(({ spec, status }) => spec.nodeName && !/Succeeded|Failed/.test(status.phase))
    .flatMap(({ spec }) => spec.containers)
    .reduce((sum, { resources }) => sum + Number(resources?.limits?.[RESOURCE] ?? 0), 0);
}

/** Has the node offer what pods hold and this many more. */
export async function leaveFreeGpus(city: City, count: number): Promise<void> {
  await city.advertiseGpus((await heldGpus(city)) + count);
}
