/**
 * Stores what a look has decided about one service, and only then tells the cities: first the status with the record, in
 * one write that fails when anybody wrote in between, then the shares. Whatever is interrupted is found and finished at
 * the next attempt, by this hub or by the next one.
 */
import type { Logger } from 'pino';
import { MANAGER } from '../../../crds/labels.ts';
import type { ModelService, ModelServiceStatus } from '../../../crds/model-service.ts';
import { cityNamespace, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import type { KubeObject, UntypedObject } from '../../kube/objects.ts';
import { resourcePath, resources } from '../../kube/resources.ts';
import type { ServiceRecord } from '../../plan/failover/records.ts';
import { grantText, isWithdrawn, shareOf } from '../../plan/hub/share.ts';
import { placedChange } from '../../plan/hub/status-change.ts';
import type { Clock } from '../../runtime/clock.ts';
import { again, done, type Reconcile, type ReconcileResult } from '../../runtime/controller.ts';
import type { Cities } from './cities.ts';
import type { Services } from './services.ts';
import { BY_SHARED, type HubStores, type KeptShare, keptShare } from './stores.ts';

/** Between two writes of one status in which nothing but figures differ. */
const FIGURES_EVERY_SECONDS = 15;
/**
 * What is not placed because the hub has just begun to listen is told only when listening takes longer than writing that
 * into so many statuses would.
 */
const LISTENING_SECONDS_PER_SERVICE = 0.01;
/** A share that is refused can be accepted later: a policy or a webhook may have refused it. */
const AFTER_REFUSAL_SECONDS = 300;

export interface StoringTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly services: Services;
  readonly cities: Cities;
  readonly shares: HubStores['shares'];
  /** The whole status as it is to be, from what is known now. Undefined before the first look. */
  summarise(
    service: ModelService,
    record: ServiceRecord,
    refusals: readonly string[],
  ): ModelServiceStatus | undefined;
  /** Told after a write: what people want to be told of. */
  onWritten(service: ModelService, status: ModelServiceStatus): void;
}

export class Storing {
  readonly #tools: StoringTools;
  /** Monotonic seconds of the last write of a status, by key. */
  readonly #wroteAt = new Map<string, number>();
  /** By UID: the version that a write has given an object, until that is seen. */
  readonly #wrote = new Map<string, string>();
  /** Monotonic seconds of the first reconcile. */
  #beganAt: number | undefined;
  /** What the API server said of shares that it refuses, by key and city. */
  readonly #refusals = new Map<string, Map<string, string>>();

  constructor(tools: StoringTools) {
    this.#tools = tools;
  }

  /**
   * Whether what is seen of a service or of its share is what this hub has just written: it calls for nothing more. To be
   * asked once for each change.
   */
  isEcho(key: string, object: KubeObject | undefined): boolean {
    const { uid, resourceVersion } = object?.metadata ?? {};
    if (uid === undefined) return false;
    const isEcho = this.#wrote.get(uid) === resourceVersion && this.#tools.services.object(key) !== undefined;
    this.#wrote.delete(uid);
    return isEcho;
  }

  readonly reconcile: Reconcile = async ({ namespace, name }, signal) => {
    const key = `${namespace}/${name}`;
    const { services } = this.#tools;
    const record = services.record(key);
    if (!record) {
      this.#wroteAt.delete(key);
      return done;
    }
    const service = services.object(key);
    const patienceSeconds = service && this.#patience(record);
    if (patienceSeconds) return again(patienceSeconds, 'the hub listens');
    const wait = service ? await this.#storeStatus(key, service, record, signal) : undefined;
    if (wait === 'NotYet') return done;
    const hadRefusals = this.#refusals.has(key);
    const isRefused = await this.#tellCities(key, record, signal);
    if (!service) services.forgetFinished(key);
    if (isRefused || hadRefusals !== this.#refusals.has(key)) {
      return again(hadRefusals === isRefused ? AFTER_REFUSAL_SECONDS : 0.1, 'a share is refused');
    }
    return wait ?? done;
  };

  /** Seconds to wait before anything is told of a service of which the hub itself waits to hear. */
  #patience({ isProvisional, shares }: ServiceRecord): number | undefined {
    const { clock, services } = this.#tools;
    const nowSeconds = clock.monotonicSeconds();
    this.#beganAt ??= nowSeconds;
    if (!isProvisional || shares.size > 0) return undefined;
    const rest = this.#beganAt + services.size * LISTENING_SECONDS_PER_SERVICE - nowSeconds;
    return rest > 0 ? rest : undefined;
  }

  /** @returns when to look again for figures that was not written; `NotYet` while nothing may be told */
  async #storeStatus(
    key: string,
    service: ModelService,
    record: ServiceRecord,
    signal: AbortSignal,
  ): Promise<ReconcileResult | 'NotYet' | undefined> {
    const { clock, client, services, summarise, onWritten } = this.#tools;
    const status = summarise(service, record, [...(this.#refusals.get(key)?.values() ?? [])]);
    if (!status) return 'NotYet';
    const change = placedChange(service.status, status);
    if (change === 'None') return undefined;
    const waitSeconds =
      (this.#wroteAt.get(key) ?? Number.NEGATIVE_INFINITY) + FIGURES_EVERY_SECONDS - clock.monotonicSeconds();
    if (change === 'FiguresOnly' && waitSeconds > 0) return again(waitSeconds, 'figures have changed');
    const { apiVersion, metadata } = service;
    const { uid, resourceVersion } = metadata;
    const object: UntypedObject = {
      apiVersion,
      kind: 'ModelService',
      metadata: {
        name: metadata.name,
        namespace: metadata.namespace,
        uid,
        ...(resourceVersion ? { resourceVersion } : {}),
      },
      status,
    };
    services.storing(key, status.placement);
    const options = { fieldManager: MANAGER, force: true, signal };
    this.#remember(await client.patchStatus(resources.ModelService, object, options));
    this.#wroteAt.set(key, clock.monotonicSeconds());
    onWritten(service, status);
    return undefined;
  }

  #remember({ metadata: { uid, resourceVersion } }: KubeObject): void {
    if (uid !== undefined && resourceVersion !== undefined) this.#wrote.set(uid, resourceVersion);
  }

  /** @returns whether the API server refuses any share as it is */
  async #tellCities(key: string, record: ServiceRecord, signal: AbortSignal): Promise<boolean> {
    const { services, shares } = this.#tools;
    const spec = services.spec(key);
    const live = new Map(shares.by(BY_SHARED, key).map((share) => [share.metadata.namespace!, share]));
    const writes: Promise<void>[] = [];
    for (const { city, grant } of record.shares.values()) {
      const namespace = cityNamespace(city);
      const found = live.get(namespace);
      live.delete(namespace);
      // Nothing was ever granted there.
      if (grant.epoch === 0) continue;
      if (spec) {
        const desired = shareOf(key, spec, city, grant);
        if (found && isSameShare(found, desired)) continue;
        writes.push(this.#apply(key, city, desired as unknown as UntypedObject, signal));
      } else if (found && isWithdrawn(grant) && grantOf(found) !== grantText(grant)) {
        writes.push(this.#withdraw(found, grantText(grant), signal));
      }
    }
    // Nothing of the service is left in these cities, and the record that says so has been stored.
    if (!record.isProvisional) for (const share of live.values()) writes.push(this.#remove(share, signal));
    const results = await Promise.allSettled(writes);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
    return (this.#refusals.get(key)?.size ?? 0) > 0;
  }

  async #apply(key: string, city: string, share: UntypedObject, signal: AbortSignal): Promise<void> {
    const { client } = this.#tools;
    try {
      const options = { fieldManager: MANAGER, force: true, signal };
      this.#remember(await client.apply(resources.ModelService, share, options));
      this.#accepted(key, city);
    } catch (error) {
      if (!isKubeError(error, 'terminal')) throw error;
      this.#refused(key, city, error.message);
    }
  }

  /** The service is gone and its spec is not known: only the bounds of the share are changed. */
  async #withdraw({ metadata }: KeptShare, grant: string, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = metadata;
    await this.#tools.client.request({
      method: 'PATCH',
      path: resourcePath(resources.ModelService, { name, namespace }),
      query: { fieldManager: MANAGER },
      contentType: 'application/merge-patch+json',
      body: {
        metadata: { uid, annotations: { [REGION_ANNOTATIONS.grant]: grant } },
        spec: { replicas: 0, autoscaling: null },
      },
      signal,
    });
  }

  async #remove({ metadata }: KeptShare, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = metadata;
    try {
      const options = { ...(uid ? { uid } : {}), signal };
      await this.#tools.client.delete(resources.ModelService, { name, namespace }, options);
    } catch (error) {
      if (!isKubeError(error, 'notFound')) throw error;
    }
  }

  #refused(key: string, city: string, message: string): void {
    const refusals = this.#refusals.get(key) ?? new Map<string, string>();
    this.#refusals.set(key, refusals.set(city, `the share of ${city} is refused: ${message}`));
    this.#tools.log.error({ key, city, message }, 'share is refused');
  }

  #accepted(key: string, city: string): void {
    const refusals = this.#refusals.get(key);
    refusals?.delete(city);
    if (refusals?.size === 0) this.#refusals.delete(key);
  }
}

function isSameShare(found: KeptShare, desired: object): boolean {
  const wanted = keptShare(desired as UntypedObject);
  const { name, labels, annotations } = found.metadata;
  return (
    wanted.specPrint === found.specPrint &&
    name === wanted.metadata.name &&
    JSON.stringify(Object.entries(labels ?? {}).sort()) ===
      JSON.stringify(Object.entries(wanted.metadata.labels ?? {}).sort()) &&
    annotations?.[REGION_ANNOTATIONS.grant] === wanted.metadata.annotations?.[REGION_ANNOTATIONS.grant]
  );
}

function grantOf({ metadata }: KeptShare): string | undefined {
  return metadata.annotations?.[REGION_ANNOTATIONS.grant];
}
