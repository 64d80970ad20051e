/**
 * What a hub and its cities agree upon: names of the objects through which they talk. A city has one namespace on the
 * hub with everything that it may see: its shares (ModelServices), its CityReport and its Lease.
 */
import * as z from 'zod';

/** Longest name of a city, so that its namespace is a valid name. */
export const MAX_CITY_NAME_LENGTH = 50;
export const CITY_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Whether a city can be called so: lower-case letters, digits and dashes, and not too many. */
export function isCityName(name: string): boolean {
  return name.length <= MAX_CITY_NAME_LENGTH && CITY_NAME.test(name);
}

export function cityNamespace(city: string): string {
  return `aicity-city-${city}`;
}

/** Names inside the namespace of a city. */
export const CITY_OBJECTS = {
  /** The identity of the city's agent on the hub. */
  serviceAccount: 'city',
  /** Secret with the token of that identity. */
  tokenSecret: 'city-token',
  /** The city's CityReport. */
  report: 'city',
  /** The city's heartbeat. */
  lease: 'heartbeat',
} as const;

/** The role that each city is given in its own namespace, and nowhere else. */
export const CITY_ROLE_NAME = 'aicity-city';

export const REGION_LABELS = {
  /** On a share, and on all objects in a city's namespace: the city. */
  city: 'aicity.io/share-of-city',
  /** On a share: namespace and name of the service that it is a part of. */
  serviceNamespace: 'aicity.io/share-of-namespace',
  serviceName: 'aicity.io/share-of-service',
  /** On a ModelService in a city: it comes from the hub, and edits are undone. */
  fromHub: 'aicity.io/from-hub',
} as const;

export const REGION_ANNOTATIONS = {
  /** On a share: the grant that it carries. On a ModelService in a city: the grant that is obeyed. JSON `ShareGrant`. */
  grant: 'aicity.io/grant',
  /** On the Lease, written by the city: session and sequence of the report that is valid. */
  session: 'aicity.io/session',
  sequence: 'aicity.io/report-sequence',
  /** On the Lease, written by the city: what it sees of others. JSON `Record<city, CityView>`. */
  views: 'aicity.io/views',
  /** On the Lease, written by another cluster that wants the city's name and stands back: which one, and when. */
  contender: 'aicity.io/contender',
  /** On the Lease, written by the hub: where to look. JSON `Record<city, url>`. */
  peers: 'aicity.io/peers',
  /** On the Lease, written by the hub: seconds between two heartbeats. */
  heartbeatSeconds: 'aicity.io/heartbeat-seconds',
} as const;

export const ShareGrant = z.object({
  epoch: z.int().min(0),
  session: z.string(),
  floor: z.int32().min(0),
  ceiling: z.int32().min(0),
});
export type ShareGrant = z.infer<typeof ShareGrant>;

export const CityViews = z.record(z.string(), z.object({ sees: z.boolean(), ageSeconds: z.number().min(0) }));
export type CityViews = z.infer<typeof CityViews>;

export const CityPeers = z.record(z.string(), z.string());
export type CityPeers = z.infer<typeof CityPeers>;
