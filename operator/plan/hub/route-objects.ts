/**
 * The objects of a route (Gateway API, gateway.networking.k8s.io/v1): one HTTPRoute, and for each city a Service without a
 * selector whose EndpointSlice holds the city's addresses. Every conforming Gateway can be led outside the cluster that
 * way; a Service of type ExternalName it should not follow, and names in slices few understand.
 */
import { createHash } from 'node:crypto';
import { ANNOTATIONS } from '../../../crds/labels.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import { ROUTE_HOST_ANNOTATION, ROUTE_LABEL, type Route } from '../../../crds/route.ts';
import { fingerprint } from '../canonical-json.ts';
import { childLabels, ownerOf } from '../child.ts';
import { SERVICE_PORT } from '../ports.ts';
import type { DesiredObject, RouteKind } from '../target.ts';
import type { RouteBackend } from './routing.ts';

const API_VERSIONS: Readonly<Record<RouteKind, string>> = {
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
};

/**
 * In the place of a city: a Service behind which nothing is, so that a Gateway answers 503. Without any backend, or, in
 * Traefik, with one that has no EndpointSlice, it would be 500.
 */
const NOWHERE = '';
const PORT_NAME = 'http';

/** What must be there before the route leads to it. */
export function backendObjects(service: ModelService, backends: readonly RouteBackend[]): DesiredObject[] {
  return backends.flatMap((backend) => [
    backendService(service, backend.city),
    backendSlice(service, backend, { [ROUTE_HOST_ANNOTATION]: backend.host }),
  ]);
}

/** What a route leads to while no city is ready. */
export function nowhere(service: ModelService): DesiredObject[] {
  const nothing = { city: NOWHERE, addresses: [], family: 'IPv4', port: SERVICE_PORT } as const;
  return [backendService(service, NOWHERE), backendSlice(service, nothing)];
}

/** @param backends those that are there; none: the service behind which nothing is must be there */
export function httpRoute(
  service: ModelService,
  route: Route,
  backends: readonly RouteBackend[],
): DesiredObject {
  const refs = backends.map(({ city, weight }) => serviceRef(service, city, weight));
  return routed(service, route, refs.length > 0 ? refs : [serviceRef(service, NOWHERE, 1)]);
}

/** For a hub that is in a cluster set with its cities (GEP-1748): the set divides the requests among what is ready. */
export function importRoute(service: ModelService, route: Route, isReady: boolean): DesiredObject {
  const ref = {
    group: 'multicluster.x-k8s.io',
    kind: 'ServiceImport',
    name: service.metadata.name,
    port: SERVICE_PORT,
    weight: 1,
  };
  return routed(service, route, [isReady ? ref : serviceRef(service, NOWHERE, 1)]);
}

function routed(
  service: ModelService,
  { parentRefs, hostnames }: Route,
  backendRefs: object[],
): DesiredObject {
  const { name } = service.metadata;
  const spec = { parentRefs, ...(hostnames ? { hostnames } : {}), rules: [{ backendRefs }] };
  return routeObject(service, 'HTTPRoute', name, {}, { spec });
}

function serviceRef(service: ModelService, city: string, weight: number) {
  return { group: '', kind: 'Service', name: backendName(service, city), port: SERVICE_PORT, weight };
}

function backendService(service: ModelService, city: string): DesiredObject {
  const port = { name: PORT_NAME, port: SERVICE_PORT, protocol: 'TCP', appProtocol: 'http' };
  // Without a selector nobody but us says what is behind it.
  const spec = { type: 'ClusterIP', ipFamilyPolicy: 'PreferDualStack', ports: [port] };
  return routeObject(service, 'Service', backendName(service, city), towards(city), { spec });
}

function backendSlice(
  service: ModelService,
  { city, addresses, family, port }: Pick<RouteBackend, 'city' | 'addresses' | 'family' | 'port'>,
  annotations: Readonly<Record<string, string>> = {},
): DesiredObject {
  const name = backendName(service, city);
  const labels = {
    ...towards(city),
    'kubernetes.io/service-name': name,
    'endpointslice.kubernetes.io/managed-by': 'aicity-operator',
  };
  const body = {
    addressType: family,
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: PORT_NAME, port, protocol: 'TCP', appProtocol: 'http' }],
  };
  // The family of a slice cannot be changed.
  const sliceName = family === 'IPv4' ? name : `${name}-v6`;
  return routeObject(service, 'EndpointSlice', sliceName, labels, body, annotations);
}

/** The label keeps them apart from what a ModelService consists of in a single cluster. */
function towards(city: string): Record<string, string> {
  return { [ROUTE_LABEL]: city };
}

/** Of a Service: 63 characters at most, and different for every two services and cities of a namespace. */
export function backendName({ metadata: { name } }: Pick<ModelService, 'metadata'>, city: string): string {
  const hash = createHash('sha256').update(`${name}/${city}`).digest('hex').slice(0, 8);
  const stem = (text: string) => text.slice(0, 26).replace(/-+$/, '');
  return `${stem(name)}-${city === NOWHERE ? 'nowhere' : stem(city)}-${hash}`;
}

function routeObject(
  service: ModelService,
  kind: RouteKind,
  name: string,
  labels: Readonly<Record<string, string>>,
  body: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): DesiredObject {
  const metadata = {
    name,
    namespace: service.metadata.namespace,
    labels: { ...childLabels(service.metadata.name), ...labels },
    ownerReferences: [ownerOf(service)],
  };
  const object = { apiVersion: API_VERSIONS[kind], kind, metadata: { ...metadata, annotations }, ...body };
  const applied = { [ANNOTATIONS.applied]: fingerprint(object) };
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, ...applied } } };
}
