/** Where clients outside the city reach a service. */
import type { LiveObject } from '../cluster-objects.ts';

/** A Service as far as it is read here. */
export interface LiveService extends LiveObject {
  readonly spec?: {
    readonly type?: string;
    readonly ports?: readonly {
      readonly name?: string;
      readonly port?: number;
      readonly nodePort?: number;
    }[];
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
    };
  };
}

export interface CityAddress {
  /** URL at which the city can be reached from outside. */
  readonly address?: string;
  /** URL of a service with {name} and {namespace} in it, for a city that has an ingress of its own. */
  readonly endpointTemplate?: string;
}

/**
 * A load balancer's address, else the city's address with the service's node port, else the template filled in.
 *
 * @param key namespace/name of the service
 * @returns undefined when nothing is known by which it can be reached
 */
export function serviceUrlOutside(
  key: string,
  service: LiveService | undefined,
  { address, endpointTemplate }: CityAddress,
): string | undefined {
  return (
    balancerUrl(service) ??
    nodePortUrl(service, address) ??
    (endpointTemplate && filled(endpointTemplate, key))
  );
}

function balancerUrl(service: LiveService | undefined): string | undefined {
  const [ingress] = service?.status?.loadBalancer?.ingress ?? [];
  const host = ingress?.ip ?? ingress?.hostname;
  if (service?.spec?.type !== 'LoadBalancer' || !host) return undefined;
  const { port = 80 } = httpPort(service) ?? {};
  return `http://${inUrl(host)}${port === 80 ? '' : `:${port}`}`;
}

function nodePortUrl(service: LiveService | undefined, address: string | undefined): string | undefined {
  const nodePort = httpPort(service)?.nodePort;
  if (service?.spec?.type !== 'NodePort' || !nodePort || !address || !URL.canParse(address)) return undefined;
  return `http://${new URL(address).hostname}:${nodePort}`;
}

function httpPort(service: LiveService | undefined) {
  const { ports = [] } = service?.spec ?? {};
  return ports.find(({ name }) => name === 'http') ?? ports[0];
}

function filled(template: string, key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  return template.replaceAll('{name}', name).replaceAll('{namespace}', namespace);
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
