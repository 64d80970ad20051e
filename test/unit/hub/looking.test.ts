/** When the hub looks at its region: the loop alone, on a clock that stands still until it is told to move. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Placement } from '../../../crds/placement.ts';
import type { ClaimReport } from '../../../operator/plan/failover/claim.ts';
import type { CityKnowledge, ServiceIntent, ServiceRecord } from '../../../operator/plan/failover/records.ts';
import { ALWAYS_THERE, type Steadiness } from '../../../operator/plan/failover/steadiness.ts';
import { HubClock } from '../../../operator/reconcile/hub/hub-clock.ts';
import { Looking } from '../../../operator/reconcile/hub/looking.ts';
import { FakeClock } from '../runtime/fake-clock.ts';

const GRACE_SECONDS = 20;
const HEARD_AFTER_SECONDS = 0.37;
const KEY = 'default/traffic';
const intent: ServiceIntent = {
  ...{ key: KEY, priority: 0, replicas: 2, maximum: 2, isAutoscaled: false },
  demand: [{ resource: 'gpu', amount: 1 }],
  placement: Placement.parse({ failover: { graceSeconds: GRACE_SECONDS } }),
};

let clock: FakeClock;
let hubClock: HubClock;
let looking: Looking;
let record: ServiceRecord | undefined;
/** Milliseconds of the looks. */
let looks: number[];
let silent: Set<string>;
/** When each city was heard last. */
let heard: Map<string, number>;
let steadinesses: Map<string, Steadiness>;
let ending: AbortController;

/** A city that obeys at once, and is heard every second while it is not silent. */
function cityOf(name: string): CityKnowledge {
  const heardAtMs = heard.get(name)!;
  const { grant } = record?.shares.get(name) ?? {};
  const claim: ClaimReport | undefined = grant && {
    ...{ epoch: grant.epoch, floor: grant.floor, ceiling: grant.ceiling },
    ...{ running: grant.floor, ready: grant.floor, needed: 0 },
  };
  return {
    ...{ name, labels: {}, taints: [], isDraining: false, capacity: { gpu: 2 } },
    ...{ heardAtMs, reportedAtMs: heardAtMs, session: 's', views: new Map() },
    steadiness: steadinesses.get(name) ?? ALWAYS_THERE,
    claims: claim ? new Map([[KEY, claim]]) : new Map(),
  };
}

beforeEach(() => {
  clock = new FakeClock();
  hubClock = new HubClock(clock);
  record = undefined;
  looks = [];
  silent = new Set();
  heard = new Map(['porto', 'faro'].map((name) => [name, hubClock.nowMs()]));
  steadinesses = new Map();
  ending = new AbortController();
  looking = new Looking({
    clock,
    hubClock,
    log: { warn() {} },
    cities: { knowledge: () => [...heard.keys()].map(cityOf) },
    services: {
      all: () => [record ? { intent, record } : { intent }],
      intents: () => [intent],
      decided(_key, decided) {
        record = decided;
      },
    },
    onLook(outcome) {
      looks.push(hubClock.nowMs());
      for (const [name, steadiness] of outcome.steadiness) steadinesses.set(name, steadiness);
    },
    onGlance() {},
  });
  void looking.run(ending.signal);
});

afterEach(() => ending.abort());

/** Between two ticks cities are heard, unless they are silent. @returns the looks, in milliseconds from the beginning. */
async function pass(seconds: number): Promise<number[]> {
  looks = [];
  const begunAtMs = hubClock.nowMs();
  for (let passed = 0; passed < seconds; passed++) {
    await clock.advance(HEARD_AFTER_SECONDS);
    for (const name of heard.keys()) if (!silent.has(name)) heard.set(name, hubClock.nowMs());
    await clock.advance(1 - HEARD_AFTER_SECONDS);
  }
  return looks.map((atMs) => atMs - begunAtMs);
}

test('a region at rest is not looked at', async () => {
  await pass(60);
  expect(record?.shares.size).toBeGreaterThan(0);
  expect(await pass(60)).toEqual([]);
});

test('a grace that ends between two ticks is noticed when it ends, and nothing before', async () => {
  await pass(60);
  const name = [...record!.shares.keys()][0]!;
  silent.add(name);
  const lastHeard = -(1 - HEARD_AFTER_SECONDS) * 1000;
  await pass(GRACE_SECONDS - 5);
  expect(record?.shares.get(name)?.standing.phase).toBe('Suspect');
  const [due] = await pass(5);
  expect(due).toBe(5000 + lastHeard);
  expect(record?.shares.get(name)?.standing.phase).not.toBe('Suspect');
});

test('a touched service is looked at as soon as looks may follow each other', async () => {
  await pass(60);
  looking.touch(KEY);
  const touchedLooks = await pass(1);
  expect(touchedLooks).toHaveLength(1);
  expect(touchedLooks[0]).toBeLessThanOrEqual(200);
});
