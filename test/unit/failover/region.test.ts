/** The whole of placement and failover over time, on a simulated region: each test is a story with times. */
import { describe, expect, test } from '@jest/globals';
import { Placement } from '../../../crds/placement.ts';
import { decisionsOf } from '../../../operator/plan/failover/decisions.ts';
import type { ServiceIntent } from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { ALWAYS_THERE } from '../../../operator/plan/failover/steadiness.ts';
import { LINGER_SECONDS } from '../../../operator/reconcile/agent/share-reconcile.ts';
import { GPU } from '../../region/simulator/faults.ts';
import { HUB } from '../../region/simulator/network.ts';
import { SimulatedRegion } from '../../region/simulator/region.ts';

const GRACE_SECONDS = 30;
/** Longer than any replica takes to start. */
const START_SECONDS = 20;
const KEY = 'default/traffic';

type Wanted = Partial<Omit<ServiceIntent, 'placement'>> & { readonly placement?: object };

function service(replicas: number, { placement = {}, ...rest }: Wanted = {}): ServiceIntent {
  return {
    key: KEY,
    priority: 0,
    replicas,
    maximum: rest.maximum ?? replicas,
    isAutoscaled: rest.maximum !== undefined,
    demand: [{ resource: GPU, amount: 1 }],
    placement: Placement.parse({ failover: { graceSeconds: GRACE_SECONDS }, ...placement }),
    ...rest,
  };
}

/** A region that has come up, with what a story needs to be told. */
class Story {
  readonly region: SimulatedRegion;
  #outcome: RegionOutcome | undefined;
  /** The fewest ready replicas since the last call of `fewestReady`, over all cities. */
  #fewest = Number.POSITIVE_INFINITY;
  #most = 0;

  constructor(gpus: Readonly<Record<string, number>>, services: readonly ServiceIntent[]) {
    this.region = new SimulatedRegion({
      seed: 1,
      shortestGraceMs: GRACE_SECONDS * 1000,
      onLook: (_seen, outcome) => {
        this.#outcome = outcome;
        this.#fewest = Math.min(this.#fewest, this.ready());
        this.#most = Math.max(this.#most, this.running());
      },
    });
    // What is to be seen is what is decided, not what is lost by chance on the way.
    this.region.network.isCalm = true;
    for (const [name, count] of Object.entries(gpus)) this.region.addCity(name, { [GPU]: count });
    for (const intent of services) this.region.addService(intent);
    this.region.start();
    this.pass(30);
  }

  pass(seconds: number): this {
    this.region.agenda.runUntil(this.region.agenda.nowMs + seconds * 1000);
    return this;
  }

  city(name: string) {
    return this.region.cities.get(name)!;
  }

  drain(name: string, isDraining = true): void {
    this.region.hub.cities.get(name)!.isDraining = isDraining;
    this.region.hub.touchAll();
  }

  isolate(name: string): void {
    for (const other of [HUB, ...this.region.cities.keys()])
      if (other !== name) this.region.network.cut(name, other);
  }

  rejoin(name: string): void {
    for (const other of [HUB, ...this.region.cities.keys()]) this.region.network.heal(name, other);
  }

  steadiness(name: string) {
    return this.#outcome!.steadiness.get(name);
  }

  ready(key = KEY): number {
    return [...this.region.cities.values()].reduce((sum, city) => sum + city.podsOf(key).ready, 0);
  }

  running(key = KEY): number {
    return [...this.region.cities.values()].reduce((sum, city) => sum + city.podsOf(key).running, 0);
  }

  where(key = KEY): Record<string, number> {
    const counts = [...this.region.cities.values()].map(({ name }): [string, number] => [
      name,
      this.city(name).podsOf(key).ready,
    ]);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  phase(city: string, key = KEY): string | undefined {
    return this.region.hub.records.get(key)?.shares.get(city)?.standing.phase;
  }

  decision(city: string, key = KEY) {
    const { hub } = this.region;
    const record = hub.records.get(key)!;
    return decisionsOf(hub.intents.get(key)!, record, this.#outcome!.sights).find((one) => one.city === city);
  }

  /** The fewest that were ready and the most that ran, since this was asked last. */
  extremes(): { fewest: number; most: number } {
    const found = { fewest: this.#fewest, most: this.#most };
    this.#fewest = Number.POSITIVE_INFINITY;
    this.#most = 0;
    return found;
  }
}

describe('a city that is lost', () => {
  test('is replaced after the grace and one more look, and not before', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
    story.city('porto').lose();
    story.pass(GRACE_SECONDS - 10);
    expect(story.phase('porto')).toBe('Suspect');
    expect(story.decision('porto')).toMatchObject({ replicas: 2, reason: 'Suspect' });
    expect(story.where()).toEqual({ faro: 2 });
    // The last heartbeat was up to one interval before the loss, and faro had seen that porto was gone.
    story.pass(12);
    expect(story.phase('porto')).toBe('Moving');
    expect(story.decision('porto')).toEqual({
      city: 'porto',
      replicas: 0,
      reason: 'Lost',
      message: 'porto is lost; 2 replicas start elsewhere',
    });
    expect(story.decision('faro')).toMatchObject({
      reason: 'StandsIn',
      message: expect.stringMatching(/^\d of 4 replicas (is|are) ready in faro, standing in for porto$/),
    });
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ faro: 4 });
    expect(story.phase('porto')).toBe('Moved');
  });

  test('comes back, reports, and only then gives up what was replaced', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.isolate('porto');
    story.pass(GRACE_SECONDS + 10 + START_SECONDS);
    // It went on alone, and the hub has left its word to it unchanged: split brain costs its share, no more.
    expect(story.where()).toEqual({ porto: 2, faro: 4 });
    expect(story.phase('porto')).toBe('Moved');
    expect(story.decision('porto')).toMatchObject({ reason: 'Replaced' });
    story.rejoin('porto');
    story.extremes();
    story.pass(40);
    expect(story.where()).toEqual({ faro: 4 });
    expect(story.extremes().fewest).toBe(4);
  });

  test('comes back before it was replaced and goes on as if nothing had been', () => {
    const story = new Story({ porto: 4, faro: 2 }, [service(4)]);
    story.isolate('porto');
    story.pass(GRACE_SECONDS + 10);
    expect(story.phase('porto')).toBe('Moving');
    story.rejoin('porto');
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
    expect(story.phase('porto')).toBe('Serving');
  });

  test('is a place for new replicas again only after it has stayed for a while', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(2)]);
    story.city('porto').lose();
    story.pass(GRACE_SECONDS + 40);
    story.city('porto').recover();
    story.pass(10);
    story.region.edit(KEY, { replicas: 4, maximum: 4 });
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ faro: 4 });
    story.pass(60);
    story.region.edit(KEY, { replicas: 6, maximum: 6 });
    story.pass(START_SECONDS);
    expect(story.where()).toMatchObject({ porto: expect.any(Number) });
  });

  test('waits for its turn when enough services are on the move, the highest priority first', () => {
    const keys = ['default/a', 'default/b', 'default/c'];
    const services = keys.map((key, at) => service(1, { key, priority: at }));
    const story = new Story({ porto: 8, braga: 0 }, services);
    story.city('braga').changeCapacity({ [GPU]: 8 });
    story.pass(5);
    Object.assign(story.region.settings, { maxMoves: 1 });
    story.city('porto').lose();
    const seen: string[] = [];
    for (let second = 0; second < 90; second++) {
      story.pass(1);
      for (const key of keys) if (story.where(key)['braga'] && !seen.includes(key)) seen.push(key);
      const moving = keys.filter((key) => story.phase('porto', key) === 'Moving');
      expect(moving.length).toBeLessThanOrEqual(1);
    }
    expect(seen).toEqual([...keys].reverse());
  });
});

describe('a city that is only cut off from the hub', () => {
  test('keeps its replicas as long as another city sees it', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.network.cut(HUB, 'porto');
    story.pass(300);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
    expect(story.decision('porto')).toEqual({
      city: 'porto',
      replicas: 2,
      reason: 'SeenByOther',
      message: 'porto is cut off from the hub, but faro sees it: its replicas stay where they are',
    });
  });

  test('does not hear of an edit, so the others make up for it', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.network.cut(HUB, 'porto');
    story.pass(60);
    story.region.edit(KEY, { replicas: 6, maximum: 6 });
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ porto: 2, faro: 4 });
  });

  test('is replaced when the city that saw it loses sight of it', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.network.cut(HUB, 'porto');
    story.pass(120);
    story.region.network.cut('faro', 'porto');
    story.pass(20 + START_SECONDS);
    expect(story.where()).toEqual({ porto: 2, faro: 4 });
    expect(story.phase('porto')).toBe('Moved');
  });
});

describe('a hub that is lost', () => {
  test.each(['Plain', 'HalfWritten', 'Amnesia'] as const)('(%s) finds everything as it was', (how) => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.hub.lose(how);
    story.pass(200);
    story.extremes();
    story.region.hub.recover();
    story.pass(60);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
    expect(story.extremes()).toEqual({ fewest: 4, most: 4 });
  });

  test('cities go on alone: a city restarts all that it was given', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.hub.lose('Plain');
    story.city('porto').lose();
    story.pass(30);
    story.city('porto').recover();
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
  });

  test('a pause of the hub is not taken for a loss of the cities', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4)]);
    story.region.hub.pause();
    story.pass(400);
    story.region.hub.resume();
    story.extremes();
    story.pass(60);
    expect(story.extremes()).toEqual({ fewest: 4, most: 4 });
  });
});

describe('a city that is drained', () => {
  test('loses nothing: each replica is ready elsewhere before it goes', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(8)]);
    expect(story.where()).toEqual({ porto: 4, faro: 4 });
    story.extremes();
    story.drain('porto');
    story.pass(4 * START_SECONDS);
    expect(story.where()).toEqual({ faro: 8 });
    // A quarter more on the way, as a Deployment's surge.
    expect(story.extremes()).toEqual({ fewest: 8, most: 10 });
  });

  test('keeps what has no other place, and says so', () => {
    const story = new Story({ porto: 8, faro: 4 }, [service(8)]);
    story.drain('porto');
    story.pass(4 * START_SECONDS);
    expect(story.ready()).toBe(8);
    expect(story.where()).toEqual({ porto: 4, faro: 4 });
    expect(story.decision('porto')).toEqual({
      city: 'porto',
      replicas: 0,
      reason: 'Leaving',
      message:
        'porto is being drained: 4 replicas are withdrawn as others become ready elsewhere; 4 replicas have no other place yet',
    });
  });
});

describe('a residency that excludes a city', () => {
  const residency = { matchExpressions: [{ key: 'region', operator: 'NotIn' as const, values: ['sul'] }] };

  test('is obeyed at once, replaced or not', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4, { placement: { residency } })]);
    expect(story.where()).toEqual({ porto: 2, faro: 2 });
    story.region.hub.cities.get('faro')!.labels = { region: 'sul' };
    story.pass(2);
    expect(story.city('faro').held.get(KEY)?.grant).toMatchObject({ floor: 0, ceiling: 0 });
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ porto: 4 });
  });

  test('is not broken by a failover', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(4, { placement: { residency } })]);
    story.region.hub.cities.get('faro')!.labels = { region: 'sul' };
    story.pass(START_SECONDS);
    story.city('porto').lose();
    story.pass(300);
    expect(story.where()).toEqual({});
    expect(story.region.hub.records.get(KEY)?.why).toMatchObject({ reason: 'NoCityAllowed' });
  });
});

describe('room that is not enough for all', () => {
  test('goes to the higher priority when a city is lost, and the lower one waits and says for whom', () => {
    const story = new Story({ porto: 4, faro: 6 }, [
      service(4, { key: 'health/hospital', priority: 100 }),
      service(4, { key: KEY }),
    ]);
    expect(story.ready() + story.ready('health/hospital')).toBe(8);
    story.city('porto').lose();
    story.pass(GRACE_SECONDS + 20 + START_SECONDS);
    expect(story.where('health/hospital')).toEqual({ faro: 4 });
    expect(story.where()).toEqual({ faro: 2 });
    expect(story.region.hub.records.get(KEY)).toMatchObject({
      waiting: 2,
      why: {
        reason: 'HigherPriorityFirst',
        message: expect.stringMatching(/^2 of 4 replicas wait: .*health\/hospital \(4\)/),
      },
    });
  });
});

describe('a city in which nothing becomes ready', () => {
  test('is given up for another one after a while, and not tried again soon', () => {
    const story = new Story({ porto: 8, faro: 8, braga: 8 }, [service(3)]);
    Object.assign(story.region.settings, { readyTimeoutMs: 60_000 });
    expect(story.where()).toEqual({ porto: 1, faro: 1, braga: 1 });
    story.city('faro').becomeUnfit();
    story.city('porto').lose();
    story.pass(GRACE_SECONDS + 15);
    story.city('porto').recover();
    const { hub } = story.region;
    // Whether the replica of porto went to faro or to braga is a matter of room; a second one makes sure.
    story.region.edit(KEY, { replicas: 6, maximum: 6 });
    story.pass(45);
    expect(story.decision('faro')).toMatchObject({ reason: expect.stringMatching(/Starting|StandsIn/) });
    story.pass(60 + START_SECONDS);
    expect(story.ready()).toBe(6);
    expect(hub.records.get(KEY)?.unfit.has('faro')).toBe(true);
  });

  test('is not blamed for a model that is ready nowhere', () => {
    const story = new Story({ porto: 8, faro: 8, braga: 8 }, []);
    Object.assign(story.region.settings, { readyTimeoutMs: 60_000 });
    for (const name of ['porto', 'faro', 'braga']) story.city(name).becomeUnfit();
    story.region.addService(service(2));
    story.pass(30);
    const before = [...story.region.hub.records.get(KEY)!.shares.keys()];
    story.pass(600);
    expect([...story.region.hub.records.get(KEY)!.shares.keys()]).toEqual(before);
    expect(story.region.hub.records.get(KEY)?.unfit.size).toBe(0);
  });
});

describe('load', () => {
  test('moves the headroom between cities under one maximum', () => {
    const story = new Story({ porto: 12, faro: 12 }, [service(2, { maximum: 10 })]);
    const ceilings = () => ['porto', 'faro'].map((name) => story.city(name).held.get(KEY)!.grant.ceiling);
    expect(ceilings()).toEqual([5, 5]);
    story.city('porto').setNeeded(KEY, 9);
    story.city('faro').setNeeded(KEY, 1);
    story.pass(60);
    const [porto, faro] = ceilings();
    expect(porto).toBeGreaterThanOrEqual(8);
    expect(porto! + faro!).toBe(10);
    expect(story.city('porto').podsOf(KEY).ready).toBe(porto);
    story.city('porto').setNeeded(KEY, 1);
    story.city('faro').setNeeded(KEY, 9);
    story.extremes();
    story.pass(60);
    expect(story.extremes().most).toBeLessThanOrEqual(10);
    expect(story.city('faro').podsOf(KEY).ready).toBeGreaterThanOrEqual(8);
  });

  test('gives its room to guaranteed replicas of others', () => {
    const story = new Story({ porto: 8 }, [service(1, { maximum: 8 })]);
    story.city('porto').setNeeded(KEY, 8);
    story.pass(START_SECONDS);
    expect(story.where()).toEqual({ porto: 8 });
    story.region.addService(service(3, { key: 'default/speech' }));
    story.pass(10 + START_SECONDS);
    expect(story.where('default/speech')).toEqual({ porto: 3 });
    expect(story.where()).toEqual({ porto: 5 });
  });
});

describe('an edit', () => {
  test('of the replicas takes effect within seconds', () => {
    const story = new Story({ porto: 8, faro: 8 }, [service(2)]);
    story.region.edit(KEY, { replicas: 7, maximum: 7 });
    story.pass(START_SECONDS);
    expect(story.ready()).toBe(7);
    story.region.edit(KEY, { replicas: 0, maximum: 0 });
    story.pass(5);
    // What was withdrawn answers until clients have heard of it.
    expect(story.ready()).toBe(7);
    story.pass(LINGER_SECONDS);
    expect(story.running()).toBe(0);
    expect(story.region.hub.records.get(KEY)?.shares.size).toBe(0);
  });

  test('at rest nothing is decided and little is said', () => {
    const story = new Story({ porto: 8, faro: 8, braga: 8 }, [service(6)]);
    story.pass(60);
    const before = story.region.hub.records.get(KEY);
    const sent = story.region.network.reports;
    story.pass(600);
    expect(story.region.hub.records.get(KEY)).toBe(before);
    const perCityAndMinute = (story.region.network.reports - sent) / 3 / 10;
    // A heartbeat each, which so short a grace makes frequent.
    expect(perCityAndMinute).toBeLessThanOrEqual(60_000 / story.region.rhythm.heartbeatMs + 0.1);
  });
});

test('a city that was added long before it dials in for the first time has not been lost', () => {
  const story = new Story({ porto: 4 }, [service(1)]);
  const lisboa = story.region.addCity('lisboa', { [GPU]: 4 });
  story.region.hub.touchAll();
  story.pass(300);
  expect(story.steadiness('lisboa')).toEqual(ALWAYS_THERE);
  lisboa.start();
  story.pass(5);
  expect(story.steadiness('lisboa')).toEqual(ALWAYS_THERE);
  story.isolate('lisboa');
  story.pass(60);
  expect(story.steadiness('lisboa')).toMatchObject({ isAbsent: true, losses: 1 });
});
