/** Keeps ClusterProfiles and CityClusters in step, where the API server knows ClusterProfiles; else it does nothing. */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import { MANAGER } from '../../../crds/labels.ts';
import { isKubeError } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { type Resource, resources } from '../../kube/resources.ts';
import {
  type ClusterProfile,
  cityFromProfile,
  isPublishedByUs,
  JOIN_LABEL,
  profileOf,
  profilePrint,
  profileStatus,
} from '../../plan/hub/joining-profile.ts';
import { Controller, done, type ReconcileResult } from '../../runtime/controller.ts';
import { type Key, keyOf } from '../../runtime/key.ts';
import type { RuntimeMetrics } from '../../runtime/metrics.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { Store } from '../../runtime/store.ts';
import { type OptionalKindTools, whileServed } from '../optional-kind.ts';

export interface ProfilesTools extends OptionalKindTools {
  readonly metrics: RuntimeMetrics;
  readonly cityClusters: Store<CityCluster>;
  /** Of the operator: published profiles stand there. */
  readonly namespace: string;
}

type Profile = ClusterProfile & KubeObject;

/** Only the leader runs it. */
export class ClusterProfiles {
  readonly #tools: ProfilesTools;
  /** By city: what was written last. */
  readonly #written = new Map<string, string>();

  constructor(tools: ProfilesTools) {
    this.#tools = tools;
  }

  /** Works whenever the kind is known, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await whileServed([resources.ClusterProfile], this.#tools, signal, (resource, until) =>
      this.#keep(resource, until),
    );
  }

  async #keep(resource: Resource, signal: AbortSignal): Promise<void> {
    const { log, cityClusters } = this.#tools;
    const asking = new Store<Profile>({
      onError: (err) => log.error({ err }, 'a change could not be passed on'),
    });
    const selection = { labelSelector: `${JOIN_LABEL}=true` };
    const reflector = new Reflector<Profile>({ ...this.#tools, resource, store: asking, selection });
    const publisher = new Controller({
      ...this.#tools,
      name: 'cluster-profile-publishing',
      reconcile: (key, until) => this.#publish(key, until),
    });
    const joiner = new Controller({
      ...this.#tools,
      name: 'cluster-profile-joining',
      reconcile: (key, until) => this.#join(asking.get(key), key, until),
    });
    // What was written is gone when the kind was gone.
    this.#written.clear();
    const ends = [
      cityClusters.subscribe(({ key }) => publisher.enqueue(key)),
      asking.subscribe(({ key }) => joiner.enqueue(key)),
    ];
    for (const city of cityClusters.list()) publisher.enqueue(keyOf(city, cityClusters.cluster));
    await Promise.all([reflector.run(signal), publisher.run(signal), joiner.run(signal)]);
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
  async #join(profile: Profile | undefined, key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const { client, log } = this.#tools;
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
