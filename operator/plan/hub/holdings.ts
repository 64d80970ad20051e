/** What each city has of all services, from the hub's records and the cities' reports. */
import type { CityKnowledge, ServiceRecord } from '../failover/records.ts';
import type { Standing } from '../failover/standing.ts';
import type { CityHolding } from './city-status.ts';

interface Draft {
  services: number;
  guaranteed: number;
  readonly stuck: string[];
  readonly phases: Set<Standing['phase']>;
}

/** By city, for all that are named in a record. */
export function holdingsOf(records: Iterable<ServiceRecord>): Map<string, Omit<CityHolding, 'unknown'>> {
  const drafts = new Map<string, Draft>();
  for (const { key, shares, waiting } of records) {
    for (const { city, assigned, grant, standing } of shares.values()) {
      const draft = drafts.get(city) ?? { services: 0, guaranteed: 0, stuck: [], phases: new Set() };
      drafts.set(city, draft);
      if (assigned > 0 || grant.ceiling > 0) draft.services++;
      draft.guaranteed += grant.floor;
      draft.phases.add(standing.phase);
      if (waiting > 0 && grant.floor > assigned) draft.stuck.push(key);
    }
  }
  for (const { stuck } of drafts.values()) stuck.sort();
  return drafts;
}

/** Services that the city runs and nobody on the hub asked for. */
export function unknownServices(
  claims: CityKnowledge['claims'],
  isKnown: (key: string) => boolean,
): string[] {
  return [...claims]
    .filter(([key, { running, ceiling }]) => (running > 0 || ceiling > 0) && !isKnown(key))
    .map(([key]) => key)
    .sort();
}
