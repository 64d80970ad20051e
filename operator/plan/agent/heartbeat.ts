/**
 * The Lease by which a city says that it is there, and by which the hub answers. One patch is one message and its answer
 * the other: no clocks are compared, and nothing else is asked.
 */
import { CityPeers, type CityViews, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { canonicalJson } from '../canonical-json.ts';
import { type Rhythm, rhythmFor } from '../failover/rhythm.ts';

/** The heartbeat's Lease as far as it is read here. */
export interface HeartbeatLease {
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string };
}

export interface Heartbeat {
  /** Of the installation, the same for all replicas of its operator. */
  readonly identity: string;
  /** RFC 3339 with microseconds, for people. */
  readonly renewTime: string;
  /** Of the report that is valid. */
  readonly session: string;
  readonly sequence: number;
  readonly views: CityViews;
}

/**
 * @param onlyAtVersion of the Lease as it was seen last, so that two agents of one name do not write over each other
 * @returns a JSON merge patch
 */
export function heartbeatPatch(
  { identity, renewTime, session, sequence, views }: Heartbeat,
  onlyAtVersion: string | undefined,
): object {
  return {
    metadata: {
      ...(onlyAtVersion === undefined ? {} : { resourceVersion: onlyAtVersion }),
      annotations: {
        [REGION_ANNOTATIONS.session]: session,
        [REGION_ANNOTATIONS.sequence]: String(sequence),
        [REGION_ANNOTATIONS.views]: canonicalJson(views),
        // Whoever still wants our place says so again.
        [REGION_ANNOTATIONS.contender]: null,
      },
    },
    spec: { holderIdentity: identity, renewTime },
  };
}

/**
 * Says on the Lease of another holder that this installation would have the name, so that people hear of it on the hub.
 *
 * @returns a JSON merge patch
 */
export function contenderPatch(identity: string, time: string): object {
  return { metadata: { annotations: { [REGION_ANNOTATIONS.contender]: `${identity} ${time}` } } };
}

export interface HubAnswer {
  readonly rhythm: Rhythm;
  /** URLs at which to look, by city. */
  readonly peers: CityPeers;
}

const SHORTEST_HEARTBEAT_SECONDS = 0.5;
const LONGEST_HEARTBEAT_SECONDS = 300;

/** Until the hub has said how often to speak. */
export const FIRST_RHYTHM: Rhythm = rhythmFor(Number.POSITIVE_INFINITY);

/** What the hub says in the Lease; what cannot be read is as if it was not said. */
export function hubAnswer({ metadata: { annotations = {} } }: HeartbeatLease): HubAnswer {
  const seconds = Number(annotations[REGION_ANNOTATIONS.heartbeatSeconds]);
  const isSaid = seconds >= SHORTEST_HEARTBEAT_SECONDS && seconds <= LONGEST_HEARTBEAT_SECONDS;
  const peers = CityPeers.safeParse(parsed(annotations[REGION_ANNOTATIONS.peers]));
  return {
    rhythm: isSaid ? rhythmOf(seconds * 1000) : FIRST_RHYTHM,
    peers: peers.success ? peers.data : {},
  };
}

/** The same proportions as the hub's own, from the heartbeat alone. */
function rhythmOf(heartbeatMs: number): Rhythm {
  return { heartbeatMs, lateAfterMs: heartbeatMs * 1.5, sessionMs: heartbeatMs * 2.4 };
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '{}');
  } catch {
    return undefined;
  }
}
