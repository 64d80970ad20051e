/**
 * ClusterProfile, the inventory API of SIG Multicluster (KEP-4322, sigs.k8s.io/cluster-inventory-api): each city is
 * published as one for other tools, and one that somebody else keeps can ask for a city.
 */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReason } from '../../../crds/city-conditions.ts';
import { API_VERSION } from '../../../crds/model-service.ts';
import { isCityName, MAX_CITY_NAME_LENGTH } from '../../../crds/region.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { Metadata } from '../cluster-objects.ts';

export const PROFILE_API_VERSION = 'multicluster.x-k8s.io/v1alpha1';
/** On a ClusterProfile of somebody else: make a city of it. */
export const JOIN_LABEL = 'aicity.io/join';
/** On a CityCluster: the ClusterProfile that asked for it. */
const PROFILE_ANNOTATION = 'aicity.io/cluster-profile';

/** The label must equal `spec.clusterManager.name`. */
const MANAGER_LABEL = 'x-k8s.io/cluster-manager';
const MANAGER_NAME = 'aicity';

interface ProfileCondition {
  readonly type: 'ControlPlaneHealthy' | 'Joined';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface ClusterProfile {
  readonly apiVersion: string;
  readonly kind: 'ClusterProfile';
  readonly metadata: Metadata;
  readonly spec: { readonly displayName?: string; readonly clusterManager: { readonly name: string } };
  readonly status?: {
    readonly conditions?: readonly ProfileCondition[];
    readonly version?: { readonly kubernetes: string };
    readonly properties?: readonly { readonly name: string; readonly value: string }[];
  };
}

/** @param namespace of the operator on the hub; the city's own would show the city what is said of it */
export function profileOf(city: CityCluster, namespace: string): ClusterProfile {
  const { name, uid, labels } = city.metadata;
  return {
    apiVersion: PROFILE_API_VERSION,
    kind: 'ClusterProfile',
    metadata: {
      name,
      namespace,
      labels: { ...labels, [MANAGER_LABEL]: MANAGER_NAME },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'CityCluster', name, uid, controller: true }],
    },
    spec: { displayName: name, clusterManager: { name: MANAGER_NAME } },
  };
}

/** Nothing in it changes while the city only beats. It has no access providers: the hub holds no way into a city. */
export function profileStatus({ spec, status = {} }: CityCluster): NonNullable<ClusterProfile['status']> {
  const { conditions = [], kubernetesVersion, capacity = [] } = status;
  const ready = conditions.find(({ type }) => type === 'Ready');
  const joined = conditions.find(({ type }) => type === 'Joined');
  const { location, pricePerHour, carbonIntensity } = spec;
  const figures = {
    ...Object.fromEntries(capacity.map(({ resource, total }) => [`capacity.aicity.io/${resource}`, total])),
    'latitude.aicity.io': location?.latitude,
    'longitude.aicity.io': location?.longitude,
    'price-per-hour.aicity.io': pricePerHour,
    'carbon-intensity.aicity.io': carbonIntensity,
  };
  return {
    conditions: [
      ...(ready ? [{ ...said(ready), type: 'ControlPlaneHealthy' as const, status: health(ready) }] : []),
      ...(joined ? [{ ...said(joined), type: 'Joined' as const, status: joined.status }] : []),
    ],
    ...(kubernetesVersion && { version: { kubernetes: kubernetesVersion } }),
    properties: Object.entries(figures).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value: String(value) }],
    ),
  };
}

const NOT_HEARD: ReadonlySet<CityReason> = new Set([
  'NeverHeard',
  'HubStarted',
  'Late',
  'SeenByOther',
  'Lost',
]);

type Condition = NonNullable<NonNullable<CityCluster['status']>['conditions']>[number];

/** A city that is not heard of may well be healthy; one that takes no replicas is. */
function health({ reason }: Condition): ProfileCondition['status'] {
  return NOT_HEARD.has(reason) ? 'Unknown' : 'True';
}

function said({ reason, message, lastTransitionTime }: Condition) {
  return { reason, message, lastTransitionTime };
}

export type CityFromProfile =
  | { readonly kind: 'City'; readonly city: { readonly metadata: Metadata; readonly spec: object } }
  /** The name cannot be the name of a city. */
  | { readonly kind: 'Impossible'; readonly message: string };

/** The city that a profile asks for; its labels come along, since services choose cities by them. */
export function cityFromProfile({ metadata }: Pick<ClusterProfile, 'metadata'>): CityFromProfile {
  const { name, namespace = '', labels = {} } = metadata;
  if (!isCityName(name)) {
    return {
      kind: 'Impossible',
      message: `ClusterProfile ${namespace}/${name} asks for a city, but its name cannot be that of one: expected at most ${MAX_CITY_NAME_LENGTH} lower-case letters, digits and dashes`,
    };
  }
  const ours = [JOIN_LABEL, MANAGER_LABEL];
  const kept = Object.entries(labels).filter(([label]) => !ours.includes(label));
  return {
    kind: 'City',
    city: {
      metadata: {
        name,
        labels: Object.fromEntries(kept),
        annotations: { [PROFILE_ANNOTATION]: `${namespace}/${name}` },
      },
      spec: {},
    },
  };
}

export function isPublishedByUs({ spec }: Pick<ClusterProfile, 'spec'>): boolean {
  return spec.clusterManager.name === MANAGER_NAME;
}

/** Equal texts: nothing to write. */
export function profilePrint(city: CityCluster, namespace: string): string {
  return canonicalJson([profileOf(city, namespace), profileStatus(city)]);
}
