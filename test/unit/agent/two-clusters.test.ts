import { afterEach, expect, test } from '@jest/globals';
import { CITY_OBJECTS, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { type KubeClient, KubeError, type RawRequest } from '../../../operator/kube/client.ts';
import type { HubConnection } from '../../../operator/plan/agent/connection.ts';
import { Dialogue } from '../../../operator/reconcile/agent/dialogue.ts';
import { HubVoice } from '../../../operator/reconcile/agent/hub-voice.ts';
import { mergePatched } from '../../region/scenarios/merge-patch.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { logLines } from '../runtime/log-lines.ts';

/** Of the hub's rhythm, which is far from the one that an agent begins with. */
const HEARTBEAT_SECONDS = 2;

interface Stored {
  readonly metadata: { resourceVersion?: string; annotations?: Record<string, string> };
  readonly spec?: { holderIdentity?: string };
}

/** The two objects that a city writes on a hub, with optimistic locking; real servers are in test/api. */
class HubObjects {
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

  #store(name: string, object: Stored): Stored {
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: `${this.#version}` } };
    this.#objects.set(name, stored);
    return stored;
  }
}

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** A cluster that speaks as the city, how it stands with the hub and how often it has looked who holds the Lease. */
function speaker(identity: string, hub: HubObjects, clock: FakeClock) {
  const stop = new AbortController();
  stops.push(stop);
  const nowMs = () => clock.monotonicSeconds() * 1000;
  const told = { connection: 'Connecting' as HubConnection, looks: 0, end: () => stop.abort() };
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
    content: () => ({}),
    views: () => ({}),
    leads: () => true,
    onAnswer: () => {},
    onConnection: (connection) => {
      told.connection = connection;
    },
  });
  void dialogue.run(stop.signal);
  return told;
}

test('the second says that it would have the name, while the first goes on', async () => {
  const [hub, clock] = [new HubObjects(), new FakeClock()];
  const first = speaker('uid-1', hub, clock);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  expect(hub.contender).toBeUndefined();
  const second = speaker('uid-2', hub, clock);
  const contenders = new Set<string | undefined>();
  for (let step = 0; step < 40 * HEARTBEAT_SECONDS; step++) {
    await clock.advance(0.25);
    contenders.add(hub.contender);
    expect([hub.holder, first.connection]).toEqual(['uid-1', 'Connected']);
  }
  expect(second.connection).toBe('Displaced');
  // Ten heartbeats: it has said so in most of them, and not more often than once in each.
  contenders.delete(undefined);
  expect(contenders.size).toBeGreaterThanOrEqual(6);
  expect(contenders.size).toBeLessThanOrEqual(11);
  expect([...contenders].every((text) => text?.startsWith('uid-2 '))).toBe(true);
  second.end();
  await clock.advance(2 * HEARTBEAT_SECONDS);
  expect(hub.contender).toBeUndefined();
});

test('the second looks as often as the hub has told the first to speak, and takes over when it is gone', async () => {
  const [hub, clock] = [new HubObjects(), new FakeClock()];
  const first = speaker('uid-1', hub, clock);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  const second = speaker('uid-2', hub, clock);
  await clock.advance(10 * HEARTBEAT_SECONDS);
  expect(second.looks).toBeGreaterThanOrEqual(10);
  first.end();
  // Silent for three heartbeats, and half a one to the next look.
  await clock.advance(4 * HEARTBEAT_SECONDS);
  expect([hub.holder, second.connection, hub.contender]).toEqual(['uid-2', 'Connected', undefined]);
});
