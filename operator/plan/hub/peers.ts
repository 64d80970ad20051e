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
      const from = firstAfter(city, ring);
      // One more, for the city itself may be among them.
      const next = Array.from({ length: Math.min(PEERS + 1, ring.length) }, (_, at) => {
        return ring[(from + at) % ring.length]!;
      });
      const others = next.filter((name) => name !== city).slice(0, PEERS);
      return [city, Object.fromEntries(others.map((name) => [name, addresses.get(name)!]))];
    }),
  );
}

/** Position of the first name behind that one; the length of the ring when there is none. */
function firstAfter(city: string, ring: readonly string[]): number {
  let [low, high] = [0, ring.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ring[middle]! > city) high = middle;
    else low = middle + 1;
  }
  return low;
}
