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
  /** Position among all cities. */
  readonly at: number;
  /** How often something has been entered. */
  version: number;
  readonly free: Map<string, number>;
  readonly entries: Map<string, Entry>;
  /** Not among the entries yet: whoever has something, and how many replicas, in turn. */
  readonly unfiled: (Claimant | number)[];
}

/** Sums of fractions (cores) must not lose a replica to rounding. */
const EPSILON = 1e-6;

/** Who asks for room: what it needs, and whom it may displace. */
export interface Claimant {
  readonly key: string;
  readonly priority: number;
  readonly demand: Demand;
}

const NOTHING: ReadonlyMap<string, Entry> = new Map();

export class Ledger {
  readonly #accounts = new Map<string, CityAccount>();
  /** By what a replica needs: the room of each city, and of which version of its account that is. */
  readonly #rooms = new Map<string, { readonly room: Float64Array; readonly version: Float64Array }>();

  constructor(
    cities: Iterable<{ readonly name: string; readonly capacity: Readonly<Record<string, number>> }>,
  ) {
    for (const { name, capacity } of cities) {
      this.#accounts.set(name, {
        at: this.#accounts.size,
        version: 0,
        free: new Map(Object.entries(capacity)),
        entries: new Map(),
        unfiled: [],
      });
    }
  }

  /** Enters how many replicas of a service a city has from now on; a city that is not known is left out. */
  set(city: string, { key, priority, demand }: Claimant, replicas: number): void {
    const account = this.#accounts.get(city);
    if (!account) return;
    const entries = filed(account);
    const entry = entries.get(key);
    const change = replicas - (entry?.replicas ?? 0);
    if (change === 0) return;
    take(account, demand, change);
    if (entry) entry.replicas = replicas;
    else entries.set(key, { key, priority, demand, replicas });
    if (replicas === 0) entries.delete(key);
  }

  /** As `set`, for a service that has nothing in the city so far: all of a region is entered like that at each look. */
  add(city: string, claimant: Claimant, replicas: number): void {
    const account = this.#accounts.get(city);
    if (!account || replicas === 0) return;
    take(account, claimant.demand, replicas);
    account.unfiled.push(claimant, replicas);
  }

  /** Replicas that the service has in these cities, without zeros. */
  holdings(key: string, cities: Iterable<string>): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const city of cities) {
      const replicas = this.replicas(city, key);
      if (replicas > 0) found.set(city, replicas);
    }
    return found;
  }

  /** Replicas that the service has in the city. */
  replicas(city: string, key: string): number {
    return this.#entriesIn(city).get(key)?.replicas ?? 0;
  }

  /** What is entered for a city. */
  entriesOf(city: string): Iterable<Readonly<Entry>> {
    return this.#entriesIn(city).values();
  }

  /**
   * How many more replicas with that demand fit into the city: Infinity when they need nothing, negative when the city
   * has given out more than it has (its capacity has shrunk).
   */
  room(city: string, demand: Demand): number {
    const free = this.#accounts.get(city)?.free;
    return free ? fitting(demand, free) : 0;
  }

  /** `room` for many cities: what has not changed since it was asked last is not computed again. */
  rooms(demand: Demand): (city: string) => number {
    const known = this.#roomsOf(demand);
    return (city) => {
      const account = this.#accounts.get(city);
      if (!account) return 0;
      const { at, version } = account;
      if (known.version[at] !== version) {
        known.room[at] = fitting(demand, account.free);
        known.version[at] = version;
      }
      return known.room[at]!;
    };
  }

  #entriesIn(city: string): ReadonlyMap<string, Entry> {
    const account = this.#accounts.get(city);
    return account ? filed(account) : NOTHING;
  }

  #roomsOf(demand: Demand): { readonly room: Float64Array; readonly version: Float64Array } {
    const key = demand.map(({ resource, amount }) => `${resource}=${amount}`).join();
    const found = this.#rooms.get(key);
    if (found) return found;
    const size = this.#accounts.size;
    const made = { room: new Float64Array(size), version: new Float64Array(size).fill(-1) };
    this.#rooms.set(key, made);
    return made;
  }

  /** As `room`, when everything of a lower priority were gone. */
  roomFor(city: string, { priority, demand }: Claimant): number {
    const account = this.#accounts.get(city);
    if (!account) return 0;
    const free = new Map(account.free);
    for (const entry of filed(account).values()) {
      if (entry.priority >= priority) continue;
      for (const { resource, amount } of entry.demand) {
        free.set(resource, (free.get(resource) ?? 0) + amount * entry.replicas);
      }
    }
    return fitting(demand, free);
  }

  /**
   * Takes replicas away from services of a lower priority, the lowest first, until the claimant's replicas fit.
   * @returns the keys of those that gave something up
   */
  makeRoom(city: string, claimant: Claimant, replicas: number): string[] {
    const account = this.#accounts.get(city);
    if (!account) return [];
    const victims = [...filed(account).values()]
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

/** Most cities are never asked who has what in them. */
function filed({ entries, unfiled }: CityAccount): Map<string, Entry> {
  for (let at = 0; at < unfiled.length; at += 2) {
    const { key, priority, demand } = unfiled[at] as Claimant;
    entries.set(key, { key, priority, demand, replicas: unfiled[at + 1] as number });
  }
  unfiled.length = 0;
  return entries;
}

function take(account: CityAccount, demand: Demand, replicas: number): void {
  account.version++;
  for (const { resource, amount } of demand) {
    account.free.set(resource, (account.free.get(resource) ?? 0) - replicas * amount);
  }
}

function fitting(demand: Demand, free: ReadonlyMap<string, number>): number {
  let fits = Number.POSITIVE_INFINITY;
  for (const { resource, amount } of demand) {
    if (amount > 0) fits = Math.min(fits, Math.floor((free.get(resource) ?? 0) / amount + EPSILON));
  }
  return fits;
}
