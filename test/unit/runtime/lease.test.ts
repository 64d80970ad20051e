import { afterEach, describe, expect, test } from '@jest/globals';
import type { CallOptions, KubeClient } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import type { KubeObject, ObjectName } from '../../../operator/kube/objects.ts';
import { LeaderElection } from '../../../operator/runtime/lease.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { logLines } from './log-lines.ts';

/** One object with optimistic locking; real servers are in test/api, here time and the network stand still. */
class OneLease {
  lease: KubeObject | undefined;
  writes = 0;
  /** What happens to a call of this caller before it is served. */
  interfere: (caller: string) => Promise<void> = async () => {};
  #version = 0;

  clientOf(caller: string): KubeClient {
    const serve = async (work: () => KubeObject) => {
      await this.interfere(caller);
      return structuredClone(work());
    };
    const store = (object: KubeObject) => {
      this.writes += 1;
      this.#version += 1;
      const metadata = { ...object.metadata, resourceVersion: `${this.#version}` };
      this.lease = structuredClone({ ...object, metadata });
      return this.lease;
    };
    const refuse = (kind: 'notFound' | 'conflict', status: number) => {
      throw new KubeError({ kind, status, reason: kind, message: kind });
    };
    const client: Partial<Record<keyof KubeClient, unknown>> = {
      get: (_: unknown, __: ObjectName, ___: CallOptions) =>
        serve(() => this.lease ?? refuse('notFound', 404)),
      create: (_: unknown, object: KubeObject) =>
        serve(() => (this.lease ? refuse('conflict', 409) : store(object))),
      replace: (_: unknown, object: KubeObject) =>
        serve(() => {
          if (!this.lease) return refuse('notFound', 404);
          const isNewest = object.metadata.resourceVersion === this.lease.metadata.resourceVersion;
          return isNewest ? store(object) : refuse('conflict', 409);
        }),
    };
    return client as unknown as KubeClient;
  }

  get spec() {
    return (this.lease as unknown as { spec: Record<string, unknown> })?.spec;
  }
}

const network = new KubeError({ kind: 'retry', status: 0, reason: 'Network', message: 'gone' });
const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** A replica that competes, and what became of it. */
function replica(identity: string, server: OneLease, clock: FakeClock) {
  const stop = new AbortController();
  stops.push(stop);
  const life: string[] = [];
  const election = new LeaderElection({
    client: server.clientOf(identity),
    namespace: 'aicity-system',
    name: 'operator',
    identity,
    clock,
    log: logLines().log,
    random: () => 0.5,
  });
  const running = (async () => {
    if (!(await election.win(stop.signal))) return;
    life.push('leads');
    life.push(await election.hold(stop.signal));
  })();
  return { election, stop, life, running };
}

describe('one replica', () => {
  test('creates the lease, renews it every two seconds and releases it at the end', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await settle();
    expect(server.spec).toMatchObject({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: '2026-01-01T00:00:00.000000Z',
    });
    await clock.advance(60);
    expect(server.writes).toBe(31);
    expect(server.spec).toMatchObject({ renewTime: '2026-01-01T00:01:00.000000Z', leaseTransitions: 0 });
    expect(a.election.isLeader).toBe(true);
    a.stop.abort();
    await a.running;
    expect(a.life).toEqual(['leads', 'stopped']);
    expect(a.election.isLeader).toBe(false);
    expect(server.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    expect(clock.pending).toBe(0);
  });

  test('makes a deleted lease anew', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await clock.advance(5);
    server.lease = undefined;
    await clock.advance(10);
    expect(server.spec).toMatchObject({ holderIdentity: 'a' });
    expect(a.life).toEqual(['leads']);
  });

  test('survives somebody else touching the lease', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await clock.advance(3);
    const touched = { ...server.lease!.metadata, resourceVersion: 'touched', labels: { by: 'hand' } };
    server.lease = { ...server.lease!, metadata: touched };
    await clock.advance(30);
    expect(a.life).toEqual(['leads']);
    expect(server.lease.metadata.labels).toEqual({ by: 'hand' });
  });

  test('a short outage is bridged, a longer one loses the lead before others can take it', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    let isDown = false;
    server.interfere = async () => {
      if (isDown) throw network;
    };
    await clock.advance(10);
    isDown = true;
    await clock.advance(7);
    isDown = false;
    await clock.advance(10);
    expect(a.life).toEqual(['leads']);
    isDown = true;
    const since = clock.monotonicSeconds();
    while (a.life.length === 1) await clock.advance(1);
    expect(a.life).toEqual(['leads', 'lost']);
    expect(clock.monotonicSeconds() - since).toBeLessThan(15);
    expect(a.election.isLeader).toBe(false);
  });

  test('a process that was frozen knows at once that it no longer leads', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await clock.advance(4);
    clock.freeze(20);
    expect(a.election.isLeader).toBe(false); // before any timer had its turn
    const writes = server.writes;
    await clock.advance(2);
    expect(a.life).toEqual(['leads', 'lost']);
    expect(server.writes).toBe(writes);
  });

  test('a wall clock that jumps by a day changes nothing', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await clock.advance(4);
    clock.jumpWall(86_400);
    await clock.advance(20);
    clock.jumpWall(-200_000);
    await clock.advance(20);
    expect(a.life).toEqual(['leads']);
  });
});

describe('two replicas', () => {
  test('exactly one leads; the other takes over at once when the first leaves', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await settle();
    const b = replica('b', server, clock);
    await clock.advance(120);
    expect([a.life, b.life]).toEqual([['leads'], []]);
    expect(b.election.holder).toBe('a');
    a.stop.abort();
    await a.running;
    await clock.advance(4.5);
    expect(b.life).toEqual(['leads']);
    expect(server.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('a leader that dies without a word is followed after the lease has run out, not before', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const a = replica('a', server, clock);
    await settle();
    const b = replica('b', server, clock);
    await clock.advance(31);
    server.interfere = async (caller) => {
      if (caller === 'a') await new Promise(() => {}); // never answered
    };
    const lastRenewal = Date.parse(`${server.spec?.['renewTime']}`);
    await clock.advance(14);
    expect(b.life).toEqual([]);
    expect(a.election.isLeader).toBe(false);
    await clock.advance(10);
    expect(b.life).toEqual(['leads']);
    expect(Date.parse(`${server.spec?.['acquireTime']}`) - lastRenewal).toBeGreaterThanOrEqual(15_000);
  });

  test('never lead at the same time, whoever is cut off and for however long', async () => {
    const [server, clock] = [new OneLease(), new FakeClock()];
    const cut = new Set<string>();
    server.interfere = async (caller) => {
      if (cut.has(caller)) throw network;
    };
    let replicas = ['a', 'b', 'c'].map((name) => replica(name, server, clock));
    let changes = 0;
    for (let round = 0; round < 40; round += 1) {
      const leader = replicas.find(({ election }) => election.isLeader);
      cut.clear();
      if (round % 2 === 0 && leader) cut.add(`${server.spec?.['holderIdentity']}`);
      for (let second = 0; second < 23; second += 1) {
        await clock.advance(1);
        expect(replicas.filter(({ election }) => election.isLeader).length).toBeLessThanOrEqual(1);
      }
      // A lost replica exits and is started again under a new identity.
      replicas = replicas.map((one) => {
        if (!one.life.includes('lost')) return one;
        changes += 1;
        return replica(`restarted-${round}`, server, clock);
      });
    }
    expect(changes).toBeGreaterThan(10);
  });
});
