/** Watches a simulated region over time: what was disturbed, what was decided, and that all of it was right. */
import type { ServiceRecord } from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { checkConverged } from './convergence.ts';
import type { Fault } from './faults.ts';
import type { HubView } from './hub.ts';
import { broken, InvariantBroken, LookChecks } from './invariants.ts';
import { HUB } from './network.ts';
import type { SimulatedRegion } from './region.ts';

/** At the end nothing has been decided for so long. */
const QUIET_MS = 120_000;

export class Watcher {
  looks = 0;
  /** How often a city was written off, counted per service. */
  failovers = 0;
  /** By what they touch: faults that are at work. */
  readonly #under = new Map<string, Fault>();
  readonly #disturbedAtMs = new Map<string, number>();
  /** By place: how often it may have been silent for a whole grace. */
  readonly #losses = new Map<string, number>();
  /** By service and city. */
  readonly #writtenOff = new Map<string, number>();
  /** Services that have had all guaranteed replicas ready. */
  readonly #complete = new Set<string>();
  readonly #checks = new LookChecks();
  #changedAtMs = 0;
  #hasForgotten = false;

  /** The same thing cannot be down twice, nor be paused while it is down. */
  isPossible({ on }: Fault): boolean {
    return !this.#under.has(on);
  }

  begins(fault: Fault, lastsMs: number, shortestGraceMs: number): void {
    if (fault.kind.includes('Amnesia')) this.#hasForgotten = true;
    if (fault.end) this.#under.set(fault.on, fault);
    if (!fault.disturbs) return;
    const times = Math.ceil(lastsMs / shortestGraceMs) + 1;
    for (const place of fault.on.split(' ')) this.#losses.set(place, (this.#losses.get(place) ?? 0) + times);
  }

  ends({ on, disturbs }: Fault, nowMs: number): void {
    this.#under.delete(on);
    if (disturbs) this.#disturbedAtMs.set(on, nowMs);
  }

  onLook(region: SimulatedRegion, seen: HubView, outcome: RegionOutcome): void {
    this.looks++;
    // What came out is not stored yet.
    for (const [key, record] of outcome.records) {
      const before = region.hub.records.get(key);
      this.#countFailovers(before, record);
      if (isNews(before, record)) this.#changedAtMs = seen.nowMs;
    }
    this.#checks.check({
      seen,
      outcome,
      settings: region.settings,
      cities: region.cities,
      disturbedAtMs: (city) => this.#disturbedAt(city, seen.nowMs),
      hasForgotten: this.#hasForgotten,
    });
  }

  /**
   * Maintenance costs no guaranteed replica, seen from the cities and not from the hub: once all were ready, all stay
   * ready, as long as there is a place for all.
   */
  checkNothingLost({ hub, cities }: SimulatedRegion): void {
    for (const [key, { replicas }] of hub.intents) {
      const ready = [...cities.values()].reduce((sum, city) => sum + city.podsOf(key).ready, 0);
      const isPlaced = hub.records.get(key)?.waiting === 0;
      if (!isPlaced) this.#complete.delete(key);
      else if (ready >= replicas) this.#complete.add(key);
      else if (this.#complete.has(key)) {
        broken(key, `only ${ready} of ${replicas} replicas are ready during maintenance`);
      }
    }
  }

  checkAtTheEnd({ hub, cities, agenda }: SimulatedRegion): void {
    checkConverged(hub, cities);
    const quietMs = agenda.nowMs - this.#changedAtMs;
    if (quietMs < QUIET_MS) throw new InvariantBroken(`something was decided ${quietMs} ms before the end`);
    for (const [where, count] of this.#writtenOff) {
      const possible = (this.#losses.get(where.split(' ')[1]!) ?? 0) + (this.#losses.get(HUB) ?? 0);
      if (count > possible) {
        throw new InvariantBroken(`${where} was written off ${count} times, ${possible} would be explained`);
      }
    }
  }

  #countFailovers(before: ServiceRecord | undefined, { key, shares }: ServiceRecord): void {
    for (const [city, { standing }] of shares) {
      if (standing.phase !== 'Moving' || before?.shares.get(city)?.standing.phase === 'Moving') continue;
      this.failovers++;
      const where = `${key} ${city}`;
      this.#writtenOff.set(where, (this.#writtenOff.get(where) ?? 0) + 1);
    }
  }

  #disturbedAt(city: string, nowMs: number): number | undefined {
    if (this.#under.get(city)?.disturbs || this.#under.get(HUB)?.disturbs) return nowMs;
    const times = [city, HUB]
      .map((place) => this.#disturbedAtMs.get(place))
      .filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.max(...times);
  }
}

/** Whether a look changed more than how a city stands: a heartbeat may always be late. */
function isNews(before: ServiceRecord | undefined, { shares, waiting }: ServiceRecord): boolean {
  if (before?.waiting !== waiting || before.shares.size !== shares.size) return true;
  return [...shares].some(([city, { assigned, grant }]) => {
    const old = before.shares.get(city);
    return old?.assigned !== assigned || old.grant.epoch !== grant.epoch;
  });
}
