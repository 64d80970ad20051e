/** A hub as a city's agent sees it, and agents that speak to it; real servers are in test/hub. */
import { CITY_OBJECTS, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { type KubeClient, KubeError, type RawRequest } from '../../../operator/kube/client.ts';
import type { HubConnection } from '../../../operator/plan/agent/connection.ts';
import type { ReportContent } from '../../../operator/plan/agent/report.ts';
import { Dialogue } from '../../../operator/reconcile/agent/dialogue.ts';
import { HubVoice } from '../../../operator/reconcile/agent/hub-voice.ts';
import { mergePatched } from '../../region/scenarios/merge-patch.ts';
import type { FakeClock } from '../runtime/fake-clock.ts';
import { logLines } from '../runtime/log-lines.ts';

/** Of the hub's rhythm, which is far from the one that an agent begins with. */
export const HEARTBEAT_SECONDS = 2;

interface Stored {
  readonly metadata: { resourceVersion?: string; annotations?: Record<string, string> };
  readonly spec?: { holderIdentity?: string };
  readonly report?: { sequence?: number };
}

/** The two objects that a city writes on a hub, with optimistic locking. */
export class HubObjects {
  readonly #objects = new Map<string, Stored>();
  #version = 0;

  constructor() {
    this.#store(CITY_OBJECTS.report, { metadata: {} });
    const annotations = { [REGION_ANNOTATIONS.heartbeatSeconds]: `${HEARTBEAT_SECONDS}` };
    this.#store(CITY_OBJECTS.lease, { metadata: { annotations } });
  }

  get client(): KubeClient {
    const request = async ({ method, path, body }: RawRequest) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const before = this.#objects.get(name)!;
      if (method === 'GET') return before;
      const { metadata } = body as Stored;
      const { resourceVersion = before.metadata.resourceVersion } = metadata ?? {};
      if (resourceVersion !== before.metadata.resourceVersion) {
        throw new KubeError({ kind: 'conflict', status: 409, reason: 'Conflict', message: 'modified' });
      }
      return this.#store(name, mergePatched(before, body) as Stored);
    };
    return { request } as unknown as KubeClient;
  }

  get holder(): string | undefined {
    return this.#objects.get(CITY_OBJECTS.lease)!.spec?.holderIdentity;
  }

  get contender(): string | undefined {
    return this.#objects.get(CITY_OBJECTS.lease)!.metadata.annotations?.[REGION_ANNOTATIONS.contender];
  }

  /** Reports that were written. */
  get reports(): number {
    return this.#objects.get(CITY_OBJECTS.report)!.report?.sequence ?? 0;
  }

  #store(name: string, object: Stored): Stored {
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: `${this.#version}` } };
    this.#objects.set(name, stored);
    return stored;
  }
}

const stops: AbortController[] = [];

/** Ends all that speak. */
export function endAll(): void {
  for (const stop of stops.splice(0)) stop.abort();
}

/** A cluster that speaks as the city, how it stands with the hub and how often it has looked who holds the Lease. */
export function speaker(
  identity: string,
  hub: HubObjects,
  clock: FakeClock,
  content: () => ReportContent = () => ({}),
) {
  const stop = new AbortController();
  stops.push(stop);
  const nowMs = () => clock.monotonicSeconds() * 1000;
  const told = {
    connection: 'Connecting' as HubConnection,
    looks: 0,
    end: () => stop.abort(),
    soon: () => {},
  };
  const dialogue: Dialogue = new Dialogue({
    clock,
    nowMs,
    log: logLines().log,
    random: () => 1,
    voice: new HubVoice({
      client: hub.client,
      city: 'porto',
      identity,
      clock,
      nowMs,
      rhythm: () => dialogue.rhythm,
      metrics: {
        hubConnection: () => {},
        sessionBegun: () => {},
        grantJudged: () => {},
        hubMessage: (kind) => {
          if (kind === 'look') told.looks += 1;
        },
      },
    }),
    session: { current: () => identity, answered: () => {} },
    content,
    views: () => ({}),
    leads: () => true,
    onAnswer: () => {},
    onConnection: (connection) => {
      told.connection = connection;
    },
  });
  told.soon = () => dialogue.soon();
  void dialogue.run(stop.signal);
  return told;
}
