/** Keeps ClusterProfiles and CityClusters in step, where the API server knows ClusterProfiles; else it does nothing. */
import type { Logger } from 'pino';
import type { CityCluster } from '../../../crds/city-cluster.ts';
import { MANAGER } from '../../../crds/labels.ts';
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resources } from '../../kube/resources.ts';
import {
  type ClusterProfile,
  cityFromProfile,
  isPublishedByUs,
  JOIN_LABEL,
  PROFILE_API_VERSION,
  profileOf,
  profilePrint,
  profileStatus,
} from '../../plan/hub/joining-profile.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Controller, done, type ReconcileResult } from '../../runtime/controller.ts';
import { type Key, keyOf } from '../../runtime/key.ts';
import type { RuntimeMetrics } from '../../runtime/metrics.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { Store } from '../../runtime/store.ts';

/** How often an API server is asked that did not know the kind. */
const ASK_EVERY_SECONDS = 300;

export interface ProfilesTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  readonly cityClusters: Store<CityCluster>;
  /** Of the operator: published profiles stand there. */
  readonly namespace: string;
}

type Profile = ClusterProfile & KubeObject;

/** Only the leader runs it. */
export class ClusterProfiles {
  readonly #tools: ProfilesTools;
  readonly #asking: Store<Profile>;
  readonly #publisher: Controller;
  readonly #joiner: Controller;
  /** By city: what was written last. */
  readonly #written = new Map<string, string>();

  constructor(tools: ProfilesTools) {
    this.#tools = tools;
    const { log } = tools;
    this.#asking = new Store<Profile>({
      onError: (err) => log.error({ err }, 'a change could not be passed on'),
    });
    this.#publisher = new Controller({
      ...tools,
      name: 'cluster-profile-publishing',
      reconcile: (key, signal) => this.#publish(key, signal),
    });
    this.#joiner = new Controller({
      ...tools,
      name: 'cluster-profile-joining',
      reconcile: (key, signal) => this.#join(key, signal),
    });
  }

  /** Waits for the kind to be known, then works, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, log, metrics, cityClusters } = this.#tools;
    while (!(await isKnown(client, log, signal))) {
      await clock.sleep(ASK_EVERY_SECONDS, signal);
      if (signal.aborted) return;
    }
    const reflector = new Reflector<Profile>({
      client,
      clock,
      log,
      metrics,
      resource: resources.ClusterProfile,
      store: this.#asking,
      selection: { labelSelector: `${JOIN_LABEL}=true` },
    });
    const ends = [
      cityClusters.subscribe(({ key }) => this.#publisher.enqueue(key)),
      this.#asking.subscribe(({ key }) => this.#joiner.enqueue(key)),
    ];
    for (const city of cityClusters.list()) this.#publisher.enqueue(keyOf(city, cityClusters.cluster));
    await Promise.all([reflector.run(signal), this.#publisher.run(signal), this.#joiner.run(signal)]);
    for (const end of ends) end();
  }

  /** The profile belongs to the CityCluster and goes with it. */
  async #publish(key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const { client, cityClusters, namespace } = this.#tools;
    const city = cityClusters.get(key);
    if (!city || city.metadata.deletionTimestamp !== undefined) {
      this.#written.delete(key.name);
      return done;
    }
    const print = profilePrint(city, namespace);
    if (this.#written.get(key.name) === print) return done;
    const profile = profileOf(city, namespace);
    const options = { fieldManager: MANAGER, force: true, signal };
    await client.apply(resources.ClusterProfile, profile, options);
    const status = { ...profile, metadata: { name: key.name, namespace }, status: profileStatus(city) };
    await client.patchStatus(resources.ClusterProfile, status, options);
    this.#written.set(key.name, print);
    return done;
  }

  /** A city is made once; after that it is its people's. */
  async #join(key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const { client, log } = this.#tools;
    const profile = this.#asking.get(key);
    if (!profile || profile.metadata.deletionTimestamp !== undefined || isPublishedByUs(profile)) return done;
    const wanted = cityFromProfile(profile);
    if (wanted.kind === 'Impossible') {
      log.warn(wanted.message);
      return done;
    }
    try {
      await client.create(resources.CityCluster, wanted.city, { fieldManager: MANAGER, signal });
      log.info(
        { city: key.name, profile: `${key.namespace}/${key.name}` },
        'a ClusterProfile has asked for a city',
      );
    } catch (error) {
      if (!isKubeError(error) || error.reason !== 'AlreadyExists') throw error;
    }
    return done;
  }
}

async function isKnown(client: KubeClient, log: Logger, signal: AbortSignal): Promise<boolean> {
  try {
    const path = `/apis/${PROFILE_API_VERSION}`;
    const { resources: served } = await client.request<{ resources: { name: string }[] }>({
      method: 'GET',
      path,
      signal,
    });
    return served.some(({ name }) => name === resources.ClusterProfile.plural);
  } catch (error) {
    if (!isKubeError(error, 'notFound') && !signal.aborted) {
      log.warn({ err: error }, 'whether there are ClusterProfiles cannot be asked yet');
    }
    return false;
  }
}
