/** Where each city is to look, so that of every city somebody knows whether it is there. */
import type { CityPeers } from '../../../crds/region.ts';

/** Cities that each city looks at. */
const PEERS = 3;

/**
 * The next few in a ring, so that every city is looked at by as many as it looks at, and one that comes or goes changes
 * little for the others.
 *
 * @param addresses of the cities that have one, by name
 * @param cities all of them: also one without an address can look at others
 */
export function peersOf(
  addresses: ReadonlyMap<string, string>,
  cities: readonly string[],
): Map<string, CityPeers> {
  const ring = [...addresses.keys()].sort();
  return new Map(
    cities.map((city) => {
      const from = ring.findIndex((name) => name > city);
      const start = from === -1 ? 0 : from;
      const next = ring.map((_, at) => ring[(start + at) % ring.length]!).filter((name) => name !== city);
      return [city, Object.fromEntries(next.slice(0, PEERS).map((name) => [name, addresses.get(name)!]))];
    }),
  );
}
