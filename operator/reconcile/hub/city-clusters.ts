/** Tells people of each city in its CityCluster, and the city itself, in its heartbeat, how often to beat and where to look. */
import type { CityCluster, CityClusterStatus } from '../../../crds/city-cluster.ts';
import { MANAGER } from '../../../crds/labels.ts';
import { CITY_OBJECTS, cityNamespace, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import type { UntypedObject } from '../../kube/objects.ts';
import { resourcePath, resources } from '../../kube/resources.ts';
import { canonicalJson } from '../../plan/canonical-json.ts';
import type { CitySight } from '../../plan/failover/sights.ts';
import { type CityHolding, cityStatus } from '../../plan/hub/city-status.ts';
import { cityNote } from '../../plan/hub/notes.ts';
import type { Clock } from '../../runtime/clock.ts';
import { again, done, type Reconcile } from '../../runtime/controller.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Cities } from './cities.ts';
import type { JoiningTrouble } from './joining.ts';
import type { HubStores } from './stores.ts';

/** Between two writes of one status in which no condition differs: capacity and counts move often. */
const FIGURES_EVERY_SECONDS = 15;

export interface CityClusterTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly cities: Cities;
  readonly leases: HubStores['leases'];
  /** Of the last look; undefined for a city that it did not see. */
  sightOf(city: string): CitySight | undefined;
  holdingOf(city: string): CityHolding;
  troubleOf(city: string): JoiningTrouble | undefined;
  heartbeatSeconds(): number;
}

export function cityClusterReconcile(tools: CityClusterTools): Reconcile {
  const { cities, clock, client, events } = tools;
  /** Monotonic seconds of the last write, by city. */
  const wroteAt = new Map<string, number>();
  return async ({ name }, signal) => {
    const city = cities.object(name);
    const sight = tools.sightOf(name);
    if (!city || !sight || city.metadata.deletionTimestamp !== undefined) return done;
    await tellCity(name, tools, signal);
    const lastHeardAtMs = cities.lastHeardAtMs(name);
    const trouble = tools.troubleOf(name);
    const contender = cities.contenderOf(name);
    const status = cityStatus({
      city,
      report: cities.report(name),
      sight,
      holding: tools.holdingOf(name),
      isTwoAgents: cities.isTwoAgents(name),
      ...(lastHeardAtMs === undefined ? {} : { lastHeardAtMs }),
      ...(trouble ? { trouble } : {}),
      ...(contender ? { contender } : {}),
      now: `${clock.now().toISOString().slice(0, 19)}Z`,
    });
    if (canonicalJson(status) === canonicalJson(city.status)) return done;
    const waitSeconds = (wroteAt.get(name) ?? -Infinity) + FIGURES_EVERY_SECONDS - clock.monotonicSeconds();
    if (waitSeconds > 0 && !isUrgent(city.status, status)) return again(waitSeconds, 'figures have changed');
    if (!(await write(city, status, client, signal))) return done;
    wroteAt.set(name, clock.monotonicSeconds());
    const note = cityNote(city.status, status);
    if (note) {
      const regarding = { ...city, apiVersion: resources.CityCluster.apiVersion, kind: 'CityCluster' };
      events.record(regarding, { ...note, action: 'Reconcile' });
    }
    return done;
  };
}

function isUrgent(before: CityClusterStatus | undefined, after: CityClusterStatus): boolean {
  const told = ({ conditions, steadiness, address }: CityClusterStatus) =>
    canonicalJson({ conditions, steadiness, address });
  return told(before ?? {}) !== told(after);
}

/** @returns false when the city was deleted, or deleted and made anew */
async function write(
  { metadata: { name, uid } }: CityCluster,
  status: CityClusterStatus,
  client: KubeClient,
  signal: AbortSignal,
): Promise<boolean> {
  const { apiVersion, kind } = resources.CityCluster;
  const object: UntypedObject = { apiVersion, kind, metadata: { name, uid }, status };
  try {
    await client.patchStatus(resources.CityCluster, object, { fieldManager: MANAGER, force: true, signal });
    return true;
  } catch (error) {
    if (isKubeError(error, 'notFound') || isKubeError(error, 'conflict')) return false;
    throw error;
  }
}

/** Nothing is written to a city that has no heartbeat yet, and nothing that it was told already. */
async function tellCity(city: string, tools: CityClusterTools, signal: AbortSignal): Promise<void> {
  const { cities, client, leases } = tools;
  const at = { name: CITY_OBJECTS.lease, namespace: cityNamespace(city) };
  const lease = leases.get({ cluster: '', ...at });
  const peers = cities.peersOf(city);
  const heartbeatSeconds = String(tools.heartbeatSeconds());
  if (!lease || peers === undefined) return;
  if (lease.peers === peers && lease.heartbeatSeconds === heartbeatSeconds) return;
  await client.request({
    method: 'PATCH',
    path: resourcePath(resources.Lease, at),
    query: { fieldManager: MANAGER },
    contentType: 'application/merge-patch+json',
    body: {
      metadata: {
        annotations: {
          [REGION_ANNOTATIONS.peers]: peers,
          [REGION_ANNOTATIONS.heartbeatSeconds]: heartbeatSeconds,
        },
      },
    },
    signal,
  });
}
