/**
 * Who has how much of each city. Guaranteed replicas alone are entered: replicas that an autoscaler runs beyond them
 * make room for anybody's guaranteed ones.
 */
import type { Demand } from './city.ts';

interface Entry {
  readonly key: string;
  readonly priority: number;
  readonly demand: Demand;
  replicas: number;
}

interface CityAccount {
  readonly free: Map<string, number>;
  readonly entries: Map<string, Entry>;
}

/** Sums of fractions (cores) must not lose a replica to rounding. */
const EPSILON = 1e-6;

/** Who asks for room: what it needs, and whom it may displace. */
export interface Claimant {
  readonly key: string;
  readonly priority: number;
  readonly demand: Demand;
}

const NOTHING: ReadonlyMap<string, number> = new Map();

export class Ledger {
  readonly #accounts = new Map<string, CityAccount>();
  readonly #holdings = new Map<string, Map<string, number>>();

  constructor(
    cities: Iterable<{ readonly name: string; readonly capacity: Readonly<Record<string, number>> }>,
  ) {
    for (const { name, capacity } of cities) {
      this.#accounts.set(name, { free: new Map(Object.entries(capacity)), entries: new Map() });
    }
  }

  /** Enters how many replicas of a service a city has from now on; a city that is not known is left out. */
  set(city: string, { key, priority, demand }: Claimant, replicas: number): void {
    const account = this.#accounts.get(city);
    if (!account) return;
    const entry = account.entries.get(key);
    const change = replicas - (entry?.replicas ?? 0);
    if (change === 0) return;
    for (const { resource, amount } of demand) {
      account.free.set(resource, (account.free.get(resource) ?? 0) - change * amount);
    }
    if (entry) entry.replicas = replicas;
    else account.entries.set(key, { key, priority, demand, replicas });
    if (replicas === 0) account.entries.delete(key);
    const holdings = this.#holdings.get(key);
    if (holdings) holdings.set(city, replicas);
    else this.#holdings.set(key, new Map([[city, replicas]]));
  }

  /** Replicas that the service has, by city. */
  holdings(key: string): ReadonlyMap<string, number> {
    return this.#holdings.get(key) ?? NOTHING;
  }

  /** Replicas that the service has in the city. */
  replicas(city: string, key: string): number {
    return this.#holdings.get(key)?.get(city) ?? 0;
  }

  /** What is entered for a city. */
  entriesOf(city: string): Iterable<Readonly<Entry>> {
    return this.#accounts.get(city)?.entries.values() ?? [];
  }

  /**
   * How many more replicas with that demand fit into the city: Infinity when they need nothing, negative when the city
   * has given out more than it has (its capacity has shrunk).
   */
  room(city: string, demand: Demand): number {
    const free = this.#accounts.get(city)?.free;
    return free ? fitting(demand, (resource) => free.get(resource) ?? 0) : 0;
  }

  /** As `room`, when everything of a lower priority were gone. */
  roomFor(city: string, { priority, demand }: Claimant): number {
    const account = this.#accounts.get(city);
    if (!account) return 0;
    const lower = new Map<string, number>();
    for (const entry of account.entries.values()) {
      if (entry.priority >= priority) continue;
      for (const { resource, amount } of entry.demand) {
        lower.set(resource, (lower.get(resource) ?? 0) + amount * entry.replicas);
      }
    }
    return fitting(demand, (resource) => (account.free.get(resource) ?? 0) + (lower.get(resource) ?? 0));
  }

  /**
   * Takes replicas away from services of a lower priority, the lowest first, until the claimant's replicas fit.
   * @returns the keys of those that gave something up
   */
  makeRoom(city: string, claimant: Claimant, replicas: number): string[] {
    const account = this.#accounts.get(city);
    if (!account) return [];
    const victims = [...account.entries.values()]
      .filter(({ priority }) => priority < claimant.priority)
      .sort((a, b) => a.priority - b.priority || b.replicas - a.replicas || (a.key < b.key ? -1 : 1));
    const displaced: string[] = [];
    for (const victim of victims) {
      const before = victim.replicas;
      while (victim.replicas > 0 && this.#isShort(city, claimant, replicas, victim.demand)) {
        this.set(city, victim, victim.replicas - 1);
      }
      if (victim.replicas < before) displaced.push(victim.key);
    }
    return displaced;
  }

  /** Whether room is missing in something that the victim has. */
  #isShort(city: string, claimant: Claimant, replicas: number, has: Demand): boolean {
    const free = this.#accounts.get(city)?.free;
    return claimant.demand.some(
      ({ resource, amount }) =>
        (free?.get(resource) ?? 0) + EPSILON * amount < amount * replicas &&
        has.some((one) => one.resource === resource && one.amount > 0),
    );
  }
}

function fitting(demand: Demand, free: (resource: string) => number): number {
  let fits = Number.POSITIVE_INFINITY;
  for (const { resource, amount } of demand) {
    if (amount > 0) fits = Math.min(fits, Math.floor(free(resource) / amount + EPSILON));
  }
  return fits;
}
