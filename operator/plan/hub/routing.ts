/**
 * Which cities an HTTPRoute leads to, with which weight: those of `status.endpoints`, so that a Gateway and clients that
 * follow the published endpoints go to the same cities. A city with nothing ready is not among them.
 */
import type { Endpoint, ModelServiceStatus } from '../../../crds/model-service.ts';
import { isAddress, isWithin } from './address-ranges.ts';

export interface RouteBackend {
  readonly city: string;
  /** As the city names it: an address, or a name that stands for the addresses. */
  readonly host: string;
  /** IP addresses of one family, in order; at least one. */
  readonly addresses: readonly string[];
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
  /** Replicas that are ready behind it, above 0. */
  readonly weight: number;
}

/** A city that serves and to which the route cannot lead. `why` is a part of a sentence. */
export interface LeftOut {
  readonly city: string;
  readonly why: string;
}

export interface Routing {
  /** In the order of the cities' names. */
  readonly backends: readonly RouteBackend[];
  readonly leftOut: readonly LeftOut[];
}

export const NO_ROUTING: Routing = { backends: [], leftOut: [] };

export interface RoutingSources {
  /** What the people of the hub allow for a city; undefined where they have said nothing. */
  readonly rangesOf: (city: string) => readonly string[] | undefined;
  /** What a name stands for; undefined or empty while that is not known. */
  readonly addressesOf: (name: string) => readonly string[] | undefined;
}

/** The Gateway API takes no more in one rule. */
export const MOST_BACKENDS = 16;
/** The API server takes up to a thousand in an EndpointSlice; a name never needs so many. */
const MOST_ADDRESSES = 100;

export function routingOf(endpoints: readonly Endpoint[], sources: RoutingSources): Routing {
  const all = endpoints.map((endpoint) => lead(endpoint, sources));
  const able = all.filter((found) => 'weight' in found);
  const ranked = [...able].sort((a, b) => b.weight - a.weight || byCity(a, b));
  const beyond = ranked
    .slice(MOST_BACKENDS)
    .map(({ city }) => ({ city, why: `${MOST_BACKENDS} others have more ready, and a route takes no more` }));
  return {
    backends: ranked.slice(0, MOST_BACKENDS).sort(byCity),
    leftOut: [...all.filter((found) => 'why' in found), ...beyond].sort(byCity),
  };
}

/**
 * Cities with ready replicas, whether clients outside can reach them or not: a cluster set reaches them by itself, and knows
 * better than the hub which of those that are silent still serve.
 */
export function servingCities(status: ModelServiceStatus | undefined): string[] {
  return (status?.cities ?? []).filter(({ readyReplicas }) => readyReplicas > 0).map(({ city }) => city);
}

/** Names that have to be looked up for a routing. */
export function namesToResolve(endpoints: readonly Endpoint[], { rangesOf }: RoutingSources): string[] {
  const hosts = endpoints
    .filter(({ city }) => (rangesOf(city) ?? []).length > 0)
    .map(({ url }) => readUrl(url))
    .flatMap((target) => ('host' in target && !isAddress(target.host) ? [target.host] : []));
  return [...new Set(hosts)].sort();
}

function lead({ city, url, weight }: Endpoint, sources: RoutingSources): RouteBackend | LeftOut {
  const target = readUrl(url);
  if ('why' in target) return { city, why: target.why };
  const { host, port } = target;
  const ranges = sources.rangesOf(city) ?? [];
  if (ranges.length === 0) return { city, why: 'its CityCluster has no spec.addressRanges' };
  const known = isAddress(host) ? [host] : (sources.addressesOf(host) ?? []);
  if (known.length === 0) return { city, why: `no address is known of ${host}` };
  const allowed = known.filter((address) => isWithin(address, ranges));
  const [first] = allowed;
  if (first === undefined) {
    const of = known[0] === host ? host : `${known[0]} (${host})`;
    return { city, why: `${of} is not in spec.addressRanges of its CityCluster` };
  }
  // A slice of endpoints has one family; what speaks both is reached by the older one everywhere.
  const family = allowed.some(isDotted) ? 'IPv4' : 'IPv6';
  const addresses = allowed.filter((text) => isDotted(text) === (family === 'IPv4'));
  return {
    city,
    host,
    addresses: [...new Set(addresses)].sort().slice(0, MOST_ADDRESSES),
    family,
    port,
    weight,
  };
}

function readUrl(text: string): { host: string; port: number } | { why: string } {
  if (!URL.canParse(text)) return { why: `its endpoint ${text} is no URL` };
  const { protocol, hostname, port, pathname } = new URL(text);
  if (protocol !== 'http:') return { why: `its endpoint ${text} is not http` };
  if (pathname !== '/')
    return { why: `its endpoint ${text} has a path, which a route does not put in front` };
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) };
}

function isDotted(address: string): boolean {
  return !address.includes(':');
}

function byCity(a: { readonly city: string }, b: { readonly city: string }): number {
  return a.city < b.city ? -1 : a.city > b.city ? 1 : 0;
}
