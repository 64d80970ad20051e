/**
 * The EndpointSlice that leads the operator's Service, which has no selector, to the leader: reports and metric
 * queries reach the one replica that keeps them.
 */
import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import { LABELS, MANAGER } from '../../crds/labels.ts';
import { isKubeError, type KubeClient, KubeError } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';

export interface LeaderEndpointOptions {
  readonly client: KubeClient;
  readonly log: Logger;
  readonly namespace: string;
  /** Of the operator's Service. */
  readonly serviceName: string;
  readonly sliceName: string;
  readonly podName: string;
  readonly podIp: string;
  /** On which this pod listens. */
  readonly port: number;
}

interface Service extends KubeObject {
  readonly spec?: { readonly ports?: readonly { readonly name?: string; readonly port: number }[] };
}

interface EndpointSlice extends KubeObject {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly ports:
    | readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[]
    | null;
  readonly endpoints:
    | readonly { readonly addresses: readonly string[]; readonly [more: string]: unknown }[]
    | null;
}

/** The Service's port; kube-proxy joins it to the slice's port by name. */
const SERVICE_PORT = 443;

export class LeaderEndpoint {
  readonly #options: LeaderEndpointOptions;

  constructor(options: LeaderEndpointOptions) {
    this.#options = options;
  }

  /**
   * Points the Service at this pod, whatever it pointed at before. To be called by the leader only; calling it again
   * repairs what somebody changed.
   *
   * @throws KubeError
   */
  async claim(signal?: AbortSignal): Promise<void> {
    const { client, log, podIp } = this.#options;
    const wanted = this.#sliceFor(await this.#service(signal));
    const found = await this.#read(signal);
    if (found && isSame(found, wanted)) return;
    await client.apply(resources.EndpointSlice, wanted, { fieldManager: MANAGER, force: true, signal });
    log.info({ podIp }, 'the Service of the operator leads here');
  }

  /**
   * Points the Service at nobody, if it still points here. A new leader that has claimed it in the meantime keeps it.
   *
   * @throws KubeError
   */
  async release(signal?: AbortSignal): Promise<void> {
    const { client, podIp } = this.#options;
    const found = await this.#read(signal);
    if (!found?.endpoints?.some(({ addresses }) => addresses.includes(podIp))) return;
    const { resourceVersion, labels = {}, ownerReferences = [] } = found.metadata;
    const empty = {
      ...found,
      // The version that was read makes this a conflict when the new leader has been here.
      metadata: { ...this.#name, labels, ownerReferences, resourceVersion: resourceVersion! },
      endpoints: [],
    };
    try {
      await client.apply(resources.EndpointSlice, empty, { fieldManager: MANAGER, force: true, signal });
    } catch (error) {
      if (!isKubeError(error, 'conflict')) throw error;
    }
  }

  get #name() {
    return { namespace: this.#options.namespace, name: this.#options.sliceName };
  }

  async #service(signal: AbortSignal | undefined): Promise<Service> {
    const { client, namespace, serviceName } = this.#options;
    return client.get<Service>(resources.Service, { namespace, name: serviceName }, { signal });
  }

  async #read(signal: AbortSignal | undefined): Promise<EndpointSlice | undefined> {
    try {
      return await this.#options.client.get<EndpointSlice>(resources.EndpointSlice, this.#name, { signal });
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }

  #sliceFor(service: Service): EndpointSlice {
    const { namespace, serviceName, podName, podIp, port } = this.#options;
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === SERVICE_PORT);
    if (!servicePort) {
      throw new KubeError({
        kind: 'retry',
        status: 0,
        reason: 'InvalidService',
        message: `Service ${namespace}/${serviceName} has no port ${SERVICE_PORT}; the chart of the operator makes it with one`,
      });
    }
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        ...this.#name,
        labels: {
          'kubernetes.io/service-name': serviceName,
          'endpointslice.kubernetes.io/managed-by': MANAGER,
          [LABELS.managedBy]: MANAGER,
        },
        // The slice goes with the Service when the operator is uninstalled.
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Service', name: serviceName, uid: service.metadata.uid! },
        ],
      },
      addressType: isIPv6(podIp) ? 'IPv6' : 'IPv4',
      ports: [{ name: servicePort.name ?? '', port, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: [podIp],
          conditions: { ready: true },
          targetRef: { kind: 'Pod', namespace, name: podName },
        },
      ],
    };
  }
}

function isSame(found: EndpointSlice, wanted: EndpointSlice): boolean {
  const essence = ({ metadata, addressType, ports, endpoints }: EndpointSlice) =>
    JSON.stringify([
      addressType,
      ports?.map(({ name, port, protocol }) => [name, port, protocol]),
      endpoints?.map(({ addresses }) => addresses),
      metadata.labels?.['kubernetes.io/service-name'],
      metadata.ownerReferences?.map(({ uid }) => uid),
    ]);
  return essence(found) === essence(wanted);
}
