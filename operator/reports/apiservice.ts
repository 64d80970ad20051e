/**
 * Registers the operator as the one who serves `custom.metrics.k8s.io`, unless another adapter does: a cluster has
 * room for one.
 */
import type { Logger } from 'pino';
import { LABELS, MANAGER } from '../../crds/labels.ts';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import type { KubeObject, OwnerReference } from '../kube/objects.ts';
import { type Resource, resources } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { METRICS_GROUP, METRICS_VERSIONS, type MetricsVersion } from './metrics-api/discovery.ts';

/** Who serves custom.metrics.k8s.io: `none` when this operator is told not to. */
export type MetricsOwner = 'ours' | 'other' | 'none';

export interface MetricsRegistrationOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** `AICITY_METRICS_ADAPTER=enabled`. */
  readonly enabled: boolean;
  /** The operator's Service. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** PEM of the authorities that vouch for our serving certificate; absent until there is one. */
  readonly caBundlePem: () => string | undefined;
  /** A ClusterRole of the installation; the registration is garbage when it is gone. */
  readonly ownerClusterRole: string;
}

interface APIService extends KubeObject {
  readonly spec?: {
    readonly group?: string;
    readonly version?: string;
    readonly groupPriorityMinimum?: number;
    readonly versionPriority?: number;
    readonly caBundle?: string;
    readonly insecureSkipTLSVerify?: boolean;
    readonly service?: { readonly namespace?: string; readonly name?: string; readonly port?: number } | null;
  };
}

const ClusterRole: Resource = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
};

const LOOK_EVERY_SECONDS = 30;
const LOOK_AGAIN_SOON_SECONDS = 5;
/** The operator must not wait for ever for what only autoscaling by reported metrics needs. */
const FAILURES_UNTIL_READY = 6;
const SERVICE_PORT = 443;

export class MetricsRegistration {
  /** Resolves when `owner` is known, or when the API server has not told it for half a minute. */
  readonly ready: Promise<void>;
  readonly #options: MetricsRegistrationOptions;
  readonly #listeners = new Set<(owner: MetricsOwner) => void>();
  #markReady: () => void = () => {};
  #owner: MetricsOwner = 'none';
  #other: string | undefined;

  constructor(options: MetricsRegistrationOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    if (!options.enabled) this.#markReady();
  }

  /** `none` until it is known. */
  get owner(): MetricsOwner {
    return this.#owner;
  }

  /** `namespace/name` of the Service behind another's adapter; the name of its APIService when it has none. */
  get otherService(): string | undefined {
    return this.#other;
  }

  /** Calls back when `owner` has changed. Returns the function that ends it. */
  onChange(listener: (owner: MetricsOwner) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks again and again until `signal` aborts; never throws. `leads`: whether this replica may write. */
  async run(signal: AbortSignal, leads: () => boolean): Promise<void> {
    const { clock, log, enabled } = this.#options;
    for (let failures = 0; enabled && !signal.aborted; ) {
      let seconds = LOOK_EVERY_SECONDS;
      try {
        await this.look(leads(), signal);
        failures = 0;
      } catch (err) {
        seconds = LOOK_AGAIN_SOON_SECONDS;
        failures += 1;
        if (failures === FAILURES_UNTIL_READY) this.#markReady();
        if (!signal.aborted)
          log.warn({ err }, 'custom.metrics.k8s.io could not be looked after, trying again');
      }
      await clock.sleep(seconds, signal);
    }
  }

  /**
   * Finds out who owns the group and, when `leads`, registers us or withdraws our part for another.
   *
   * @throws KubeError
   */
  async look(leads: boolean, signal?: AbortSignal): Promise<void> {
    if (!this.#options.enabled) return;
    const registered = await Promise.all(METRICS_VERSIONS.map((version) => this.#read(version, signal)));
    const other = registered.find((found) => found && !this.#isOurs(found));
    if (leads) {
      for (const [index, version] of METRICS_VERSIONS.entries()) {
        if (other) await this.#withdraw(registered[index], signal);
        else await this.#register(version, registered[index], signal);
      }
    }
    const service = other?.spec?.service;
    this.#other = service ? `${service.namespace}/${service.name}` : other?.metadata.name;
    this.#conclude(other ? 'other' : 'ours');
  }

  #conclude(owner: MetricsOwner): void {
    this.#markReady();
    if (owner === this.#owner) return;
    this.#owner = owner;
    this.#options.log.info(
      { owner, otherService: this.#other },
      'who serves custom.metrics.k8s.io has changed',
    );
    for (const listener of this.#listeners) listener(owner);
  }

  /** It is ours when it leads to our Service; labels can be copied, and another may have taken our object over. */
  #isOurs({ spec }: APIService): boolean {
    const { namespace, name } = this.#options.service;
    return spec?.service?.namespace === namespace && spec.service.name === name;
  }

  async #read(version: MetricsVersion, signal: AbortSignal | undefined): Promise<APIService | undefined> {
    const name = `${version}.${METRICS_GROUP}`;
    try {
      return await this.#options.client.get<APIService>(resources.APIService, { name }, { signal });
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }

  async #withdraw(found: APIService | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (!found || !this.#isOurs(found)) return;
    const { name, uid } = found.metadata;
    await this.#options.client.delete(resources.APIService, { name }, { uid, signal });
  }

  async #register(
    version: MetricsVersion,
    found: APIService | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { client, caBundlePem, log } = this.#options;
    const caBundle = caBundlePem();
    if (caBundle === undefined) return;
    const wanted = this.#wanted(version, Buffer.from(caBundle).toString('base64'));
    if (found && isSame(found, wanted)) return;
    const owner = await this.#owningRole(signal);
    const metadata = { ...wanted.metadata, ...(owner && { ownerReferences: [owner] }) };
    await client.apply(
      resources.APIService,
      { ...wanted, metadata },
      // Without force, another adapter that is installed at this very moment wins the conflict.
      { fieldManager: MANAGER, force: found !== undefined, signal },
    );
    log.info({ apiService: wanted.metadata.name }, 'custom.metrics.k8s.io registered');
  }

  #wanted(version: MetricsVersion, caBundle: string) {
    const { namespace, name } = this.#options.service;
    return {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `${version}.${METRICS_GROUP}`, labels: { [LABELS.managedBy]: MANAGER } },
      spec: {
        group: METRICS_GROUP,
        version,
        groupPriorityMinimum: 100,
        // Higher is preferred; the first version of the list is.
        versionPriority: 100 * (METRICS_VERSIONS.length - METRICS_VERSIONS.indexOf(version)),
        service: { namespace, name, port: SERVICE_PORT },
        caBundle,
      },
    };
  }

  /** A cluster-scoped owner that helm deletes, or an uninstalled operator would leave the cluster's discovery broken. */
  async #owningRole(signal: AbortSignal | undefined): Promise<OwnerReference | undefined> {
    const { client, ownerClusterRole: name } = this.#options;
    try {
      const { metadata } = await client.get(ClusterRole, { name }, { signal });
      return { apiVersion: ClusterRole.apiVersion, kind: ClusterRole.kind, name, uid: metadata.uid! };
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }
}

function isSame({ spec }: APIService, wanted: { spec: NonNullable<APIService['spec']> }): boolean {
  return (
    spec?.caBundle === wanted.spec.caBundle &&
    spec?.groupPriorityMinimum === wanted.spec.groupPriorityMinimum &&
    spec?.versionPriority === wanted.spec.versionPriority &&
    spec?.service?.port === wanted.spec.service?.port &&
    !spec?.insecureSkipTLSVerify
  );
}
