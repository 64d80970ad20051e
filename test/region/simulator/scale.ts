/**
 * A large region: everything placed from nothing, a while at rest, one city lost and back. What is measured is what the
 * hub's pure code takes; the clock of the region is virtual.
 */
import { Placement } from '../../../crds/placement.ts';
import type { RegionInput } from '../../../operator/plan/failover/look.ts';
import { lookAtRegion, type RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { placeAll } from '../../../operator/plan/placement/place-all.ts';
import { type Fault, GPU } from './faults.ts';
import { broken } from './invariants.ts';
import { SimulatedRegion } from './region.ts';
import { Watcher } from './watcher.ts';

export interface ScaleOptions {
  readonly cities: number;
  readonly services: number;
}

export interface LargeOptions extends ScaleOptions {
  /** Told how far it is. */
  readonly tell?: (line: string) => void;
}

export interface ScaleResult extends ScaleOptions {
  readonly replicas: number;
  /** Placement alone, from nothing. */
  readonly placeSeconds: number;
  /** The longest look while all comes up from nothing: placement, ceilings, grants. */
  readonly firstLookSeconds: number;
  /** What the looks of a second take at rest, in the mean; with nothing to decide there is none. */
  readonly restLookSeconds: number;
  /** The longest look while a city is lost and its services are started elsewhere. */
  readonly failoverLookSeconds: number;
  readonly reportsPerCityAndMinuteAtRest: number;
  readonly memoryMegabytes: number;
}

const GRACE_MS = 90_000;
const MINUTE_MS = 60_000;
/** At the end nothing has been decided for some minutes. */
const CALM_MS = 3 * MINUTE_MS;
const TOLD_EVERY_LOOKS = 30;
/** Cities are filled to a part, so that one of them can be lost. */
const FILL = 0.6;

/** @throws InvariantBroken when anything that must hold does not, at any look or in any calm */
export function simulateLarge({ cities, services, tell = () => {} }: LargeOptions): ScaleResult {
  const looks: number[] = [];
  const watcher = new Watcher();
  const region: SimulatedRegion = new SimulatedRegion({
    seed: 1,
    shortestGraceMs: GRACE_MS,
    look: (input) => timed(input, looks),
    onLook: (seen, outcome) => {
      watcher.onLook(region, seen, outcome);
      if (watcher.looks % TOLD_EVERY_LOOKS === 0) tell(`${Math.round(seen.nowMs / 1000)} s of virtual time`);
    },
  });
  const replicas = build(region, { cities, services });
  const placeSeconds = placingTime(region);
  region.start();
  const firstLookSeconds = Math.max(...passed(region, MINUTE_MS, looks));
  checkAllReady(region, 'come up');
  tell('everything is ready; at rest');
  const before = region.network.reports;
  const atRest = passed(region, 5 * MINUTE_MS, looks);
  const reports = (region.network.reports - before) / cities / 5;
  const [city] = region.cities.values();
  const lost: Fault = {
    kind: 'city lost',
    on: city!.name,
    disturbs: true,
    begin: () => city!.lose(),
    end: () => city!.recover(),
  };
  tell(`${lost.on} is lost`);
  watcher.begins(lost, GRACE_MS + MINUTE_MS, GRACE_MS);
  lost.begin();
  const failoverLookSeconds = Math.max(...passed(region, GRACE_MS + MINUTE_MS, looks));
  checkAllReady(region, 'are replaced');
  tell(`${lost.on} is replaced, and comes back`);
  watcher.ends(lost, region.agenda.nowMs);
  lost.end?.();
  passed(region, 2 * MINUTE_MS, looks);
  checkAllReady(region, 'are left when the city is back');
  passed(region, CALM_MS, looks);
  watcher.checkAtTheEnd(region);
  return {
    cities,
    services,
    replicas,
    placeSeconds,
    firstLookSeconds,
    restLookSeconds: atRest.reduce((sum, one) => sum + one, 0) / (5 * 60),
    failoverLookSeconds,
    reportsPerCityAndMinuteAtRest: reports,
    memoryMegabytes: Math.round(process.memoryUsage().rss / 1e6),
  };
}

/** Placement alone, and the longest look until all has its city, with nothing there before. */
export function timeToPlace(options: ScaleOptions): { placeSeconds: number; lookSeconds: number } {
  const looks: number[] = [];
  const region = new SimulatedRegion({
    seed: 1,
    shortestGraceMs: GRACE_MS,
    look: (input) => timed(input, looks),
  });
  build(region, options);
  const placeSeconds = placingTime(region);
  region.start();
  return { placeSeconds, lookSeconds: Math.max(...passed(region, GRACE_MS, looks)) };
}

/** Services of one to four replicas and four priorities. @returns all replicas */
function build(region: SimulatedRegion, { cities, services }: ScaleOptions): number {
  const replicasOf = (service: number): number => 1 + (service % 4);
  const all = Array.from({ length: services }, (_, i) => replicasOf(i)).reduce((sum, one) => sum + one, 0);
  const capacity = { [GPU]: Math.ceil(all / cities / FILL) };
  for (let i = 0; i < cities; i++)
    region.addCity(`city-${i}`, capacity, { labels: { region: `region-${i % 20}` } });
  const placement = Placement.parse({ failover: { graceSeconds: GRACE_MS / 1000 } });
  for (let i = 0; i < services; i++) {
    const replicas = replicasOf(i);
    const demand = [{ resource: GPU, amount: 1 }];
    const key = `default/service-${i}`;
    region.addService({
      key,
      priority: i % 4,
      replicas,
      maximum: replicas,
      isAutoscaled: false,
      placement,
      demand,
    });
  }
  return all;
}

function placingTime({ hub, cities }: SimulatedRegion): number {
  const requests = [...hub.intents.values()].map((intent) => ({ ...intent, shares: new Map() }));
  const places = [...hub.cities.values()].map((spec) => {
    return { ...spec, capacity: cities.get(spec.name)!.capacity, condition: 'Steady' as const };
  });
  const began = performance.now();
  placeAll(requests, places);
  return (performance.now() - began) / 1000;
}

function timed(input: RegionInput, looks: number[]): RegionOutcome {
  const began = performance.now();
  const outcome = lookAtRegion(input);
  looks.push((performance.now() - began) / 1000);
  return outcome;
}

function passed(region: SimulatedRegion, forMs: number, looks: number[]): number[] {
  looks.length = 0;
  region.agenda.runUntil(region.agenda.nowMs + forMs);
  return [...looks];
}

function checkAllReady({ hub, cities }: SimulatedRegion, what: string): void {
  for (const [key, { replicas }] of hub.intents) {
    let ready = 0;
    for (const name of hub.records.get(key)?.shares.keys() ?? [])
      ready += cities.get(name)!.podsOf(key).ready;
    if (ready < replicas) broken(key, `only ${ready} of ${replicas} replicas ${what}`);
  }
}
