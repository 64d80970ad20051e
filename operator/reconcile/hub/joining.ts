/** Makes for every CityCluster what its city needs to dial in, and puts it back when it is gone. */
import type { Logger } from 'pino';
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReason } from '../../../crds/city-conditions.ts';
import { MANAGER } from '../../../crds/labels.ts';
import { cityNamespace } from '../../../crds/region.ts';
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resources } from '../../kube/resources.ts';
import type { LiveObject } from '../../plan/cluster-objects.ts';
import { type Account, type JoiningStep, joiningSteps, namespaceStanding } from '../../plan/hub/joining.ts';
import type { Clock } from '../../runtime/clock.ts';
import { again, Controller, type ReconcileResult } from '../../runtime/controller.ts';
import type { Key } from '../../runtime/key.ts';
import type { RuntimeMetrics } from '../../runtime/metrics.ts';
import type { Store } from '../../runtime/store.ts';

/**
 * Secrets are not watched, since whoever may watch a token may read it: one that was deleted is replaced at the next look,
 * and a city that falls silent is looked at at once.
 */
const LOOK_EVERY_SECONDS = 600;
/** For a namespace to be removed, or for new rights to take effect. */
const SOON_SECONDS = 1;

/** Why a city cannot dial in; a sentence for its Joined condition. */
export interface JoiningTrouble {
  readonly reason: Extract<CityReason, 'NamespaceTaken'>;
  readonly message: string;
}

export interface JoiningTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  readonly cityClusters: Store<CityCluster>;
  /** Copies of objects in the namespaces of cities: what disappears from them is made again at once. */
  readonly contents: readonly Pick<Store<KubeObject>, 'subscribe'>[];
  /** The account under which this operator runs. */
  readonly operator: Account;
}

/** Only the leader runs it. */
export class Joining {
  readonly controller: Controller;
  readonly #tools: JoiningTools;
  readonly #troubles = new Map<string, JoiningTrouble>();
  readonly #listeners = new Set<(city: string) => void>();

  constructor(tools: JoiningTools) {
    this.#tools = tools;
    this.controller = new Controller({
      ...tools,
      name: 'city-joining',
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
  }

  /** Why this city cannot dial in, if it cannot. */
  trouble(city: string): JoiningTrouble | undefined {
    return this.#troubles.get(city);
  }

  /** Calls back when the trouble of a city has changed, until the returned function is called. */
  onChange(listener: (city: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at every city once and from time to time, and at once at what has changed, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { cityClusters, contents } = this.#tools;
    const enqueue = (name: string) =>
      this.controller.enqueue({ cluster: cityClusters.cluster, namespace: '', name });
    const ends = [
      cityClusters.subscribe(({ key, before, after }) => {
        // Its status changes often and is none of our business, but that it is silent may be for want of a token.
        const isEdited = before?.metadata.generation !== after?.metadata.generation;
        if (isEdited || isAnother(before, after) || fellSilent(before, after)) enqueue(key.name);
      }),
      ...contents.map((store) =>
        store.subscribe(({ key, after }) => {
          if (after === undefined && key.namespace.startsWith(CITY_PREFIX)) {
            enqueue(key.namespace.slice(CITY_PREFIX.length));
          }
        }),
      ),
    ];
    for (const { metadata } of cityClusters.list()) enqueue(metadata.name);
    await this.controller.run(signal);
    for (const end of ends) end();
  }

  async #reconcile(key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const { cityClusters, client, operator } = this.#tools;
    const city = cityClusters.get(key);
    if (!city || city.metadata.deletionTimestamp !== undefined) {
      this.#tell(key.name, undefined);
      return { kind: 'done' };
    }
    const namespace = cityNamespace(city.metadata.name);
    const standing = namespaceStanding(city, await existing(client, namespace, signal));
    if (standing === 'Foreign') {
      this.#tell(key.name, {
        reason: 'NamespaceTaken',
        message: `namespace ${namespace} is there already and does not belong to CityCluster ${key.name}: remove it, or give the city another name`,
      });
      return again(LOOK_EVERY_SECONDS, 'the namespace may be given free');
    }
    this.#tell(key.name, undefined);
    if (standing === 'Former') return again(SOON_SECONDS, 'a former namespace of the city is on its way out');
    let isNew = false;
    for (const stage of joiningSteps(city, operator)) {
      try {
        const made = await Promise.all(stage.map((step) => perform(step, client, signal)));
        isNew ||= stage[0]?.object.kind === 'RoleBinding' && made.includes('made');
      } catch (error) {
        // The API server learns of the binding that gives us rights a moment after it was made.
        if (!isNew || !isKubeError(error) || error.status !== 403) throw error;
        return again(SOON_SECONDS, 'the rights in the new namespace take effect');
      }
    }
    return again(LOOK_EVERY_SECONDS, 'somebody may have removed something');
  }

  #tell(city: string, trouble: JoiningTrouble | undefined): void {
    if (this.#troubles.get(city)?.message === trouble?.message) return;
    if (trouble) {
      this.#troubles.set(city, trouble);
      this.#tools.log.warn({ city, ...trouble }, 'city cannot be joined');
    } else this.#troubles.delete(city);
    for (const listener of this.#listeners) listener(city);
  }
}

const CITY_PREFIX = cityNamespace('');

function fellSilent(before: CityCluster | undefined, after: CityCluster | undefined): boolean {
  return isReady(before) && !isReady(after);
}

function isReady(city: CityCluster | undefined): boolean {
  return city?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function isAnother(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  return before?.metadata.uid !== after?.metadata.uid;
}

async function existing(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<LiveObject | undefined> {
  try {
    const namespace = await client.get<KubeObject>(resources.Namespace, { name }, { signal });
    return { ...namespace, kind: 'Namespace' };
  } catch (error) {
    if (isKubeError(error, 'notFound')) return undefined;
    throw error;
  }
}

async function perform(
  { how, object }: JoiningStep,
  client: KubeClient,
  signal: AbortSignal,
): Promise<'made' | 'kept'> {
  const resource = resources[object.kind];
  const options = { fieldManager: MANAGER, signal };
  try {
    if (how === 'create') await client.create(resource, object, options);
    else await client.apply(resource, object, { ...options, force: true });
    return 'made';
  } catch (error) {
    if (isKubeError(error) && error.reason === 'AlreadyExists') return 'kept';
    throw error;
  }
}
