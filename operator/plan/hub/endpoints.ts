/** Where clients go: each city with ready replicas that can be reached, in proportion to them. */
import type { Endpoint } from '../../../crds/model-service.ts';
import type { CityPart } from './parts.ts';

/**
 * What a silent city said last is all that is known of it. As long as another city sees it, or nobody else can serve, its
 * clients are sent there still; else they go where replicas are known to answer.
 */
export function endpointsOf(parts: readonly CityPart[]): Endpoint[] {
  const able = parts.filter((part) => weightOf(part) > 0 && part.url !== undefined && !part.isTwoAgents);
  const known = able.filter(({ isHeard, isSeenByOther }) => isHeard || isSeenByOther);
  return (known.length > 0 ? known : able)
    .map((part) => ({ city: part.city, url: part.url!, weight: weightOf(part) }))
    .sort((a, b) => (a.city < b.city ? -1 : 1));
}

/** What is withdrawn leaves the endpoints with the decision, before the city hears of it. */
function weightOf({ answering, share }: CityPart): number {
  return Math.min(answering, share?.grant.ceiling ?? 0);
}
