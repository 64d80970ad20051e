/**
 * The hub: receives reports, looks at the region with the operator's own pure code, stores what comes out, and only
 * then tells the cities. What it stores survives it; what it has heard does not.
 */
import type { Taint } from '../../../crds/city-cluster.ts';
import type { Grant } from '../../../operator/plan/failover/claim.ts';
import { isLookDue, isQuiet } from '../../../operator/plan/failover/due.ts';
import type { RegionInput } from '../../../operator/plan/failover/look.ts';
import type { CityKnowledge, ServiceIntent, ServiceRecord } from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import type { FailoverSettings } from '../../../operator/plan/failover/rhythm.ts';
import { awakeSince, sightsOf } from '../../../operator/plan/failover/sights.ts';
import { ALWAYS_THERE, type Steadiness } from '../../../operator/plan/failover/steadiness.ts';
import { touchedBy } from '../../../operator/plan/failover/touched.ts';
import type { View } from '../../../operator/plan/failover/vantage.ts';
import type { Agenda } from './agenda.ts';
import type { Grants, Report } from './messages.ts';
import { HUB, type Network } from './network.ts';
import type { Random } from './random.ts';

/** What people write about a city. */
export interface CitySpec {
  readonly name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  isDraining: boolean;
  pricePerHour?: number;
  carbonIntensity?: number;
}

export interface HubWorld {
  readonly agenda: Agenda;
  readonly network: Network;
  readonly random: Random;
  readonly settings: FailoverSettings;
  /** The pure code that decides: the operator's own, or a broken one to see that it is caught. */
  look(input: RegionInput): RegionOutcome;
  deliverToCity(city: string, message: Grants): void;
  /** Told after each look, before anything is stored or sent. */
  onLook(before: HubView, outcome: RegionOutcome): void;
}

/** What a look saw. */
export interface HubView {
  readonly nowMs: number;
  readonly awakeSinceMs: number;
  readonly cities: readonly CityKnowledge[];
  readonly services: readonly { readonly intent: ServiceIntent; readonly record?: ServiceRecord }[];
}

const LOOK_EVERY_MS = 1_000;
const NOTHING_DECIDED: RegionOutcome['records'] = new Map();

export class SimulatedHub {
  readonly #world: HubWorld;
  readonly cities = new Map<string, CitySpec>();
  readonly intents = new Map<string, ServiceIntent>();
  readonly records = new Map<string, ServiceRecord>();
  /** What the API server keeps of the last report of each city. */
  readonly #reports = new Map<string, Report>();
  readonly #steadiness = new Map<string, Steadiness>();
  readonly #views = new Map<string, ReadonlyMap<string, View>>();
  /** By city and service: grants that were stored and that the city has not said to obey. */
  readonly #open = new Map<string, Map<string, Grant>>();
  /** What is known of each city, made when it is asked for and something has changed since. */
  readonly #known = new Map<string, CityKnowledge>();
  /** As the last look saw them. */
  readonly #seen = new Map<string, CityKnowledge>();
  isUp = true;
  isPaused = false;
  #isHalfWritten = false;
  #awakeSinceMs: number | undefined;
  #lastLookMs = 0;
  #heard = new Map<string, number>();
  #inbox: Report[] = [];
  #touched: Set<string> | undefined;
  /** The last look, with what was seen since. */
  #last: RegionOutcome | undefined;

  constructor(world: HubWorld) {
    this.#world = world;
  }

  start(): void {
    const look = (): void => {
      if (this.isUp && !this.isPaused) this.#look();
      this.#world.agenda.after(LOOK_EVERY_MS, look);
    };
    look();
  }

  /** @param how `HalfWritten`: dies in the middle of writing what its last look gave; `Amnesia`: loses all it stored */
  lose(how: 'Plain' | 'HalfWritten' | 'Amnesia'): void {
    if (how === 'HalfWritten') {
      this.#isHalfWritten = true;
      if (!this.isPaused) this.#look();
      this.#isHalfWritten = false;
    }
    this.isUp = false;
    this.#awakeSinceMs = undefined;
    this.#last = undefined;
    this.#seen.clear();
    this.#known.clear();
    this.#heard = new Map();
    this.#inbox = [];
    this.#open.clear();
    if (how !== 'Amnesia') return;
    this.records.clear();
    this.#reports.clear();
    this.#steadiness.clear();
    this.#views.clear();
  }

  recover(): void {
    this.isUp = true;
    for (const [key, record] of this.records) this.#remember(key, record);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    const waiting = this.#inbox;
    this.#inbox = [];
    for (const report of waiting) this.receive(report);
  }

  /** A city, or something that concerns all services, has changed. */
  touchAll(): void {
    this.#touched = undefined;
  }

  touch(service: string): void {
    this.#touched?.add(service);
  }

  receive(report: Report): void {
    if (!this.isUp) return;
    if (this.isPaused) {
      this.#inbox.push(report);
      return;
    }
    const before = this.#reports.get(report.city);
    if (before && report.sequence <= before.sequence) return;
    const { nowMs } = this.#world.agenda;
    this.#reports.set(report.city, report);
    this.#known.delete(report.city);
    this.#views.set(
      report.city,
      new Map([...report.views].map(([peer, { sees, ageMs }]) => [peer, { sees, atMs: nowMs - ageMs }])),
    );
    this.#heard.set(report.city, nowMs);
    this.#send(report.city, report.sequence);
  }

  knowledge(): CityKnowledge[] {
    return [...this.cities.values()].map((spec): CityKnowledge => {
      const known = this.#known.get(spec.name);
      if (known && isAsWritten(known, spec)) return known;
      const report = this.#reports.get(spec.name);
      const heardAtMs = this.#heard.get(spec.name);
      const made = {
        ...spec,
        capacity: report?.capacity ?? {},
        ...(heardAtMs === undefined ? {} : { heardAtMs, reportedAtMs: heardAtMs }),
        ...(report ? { session: report.session } : {}),
        claims: report?.claims ?? new Map(),
        views: this.#views.get(spec.name) ?? new Map(),
        steadiness: this.#steadiness.get(spec.name) ?? ALWAYS_THERE,
      };
      this.#known.set(spec.name, made);
      return made;
    });
  }

  /** Takes note of which services what is now known of the cities concerns. */
  #noteChanges(cities: readonly CityKnowledge[], awakeSinceMs: number): void {
    for (const city of cities) {
      const before = this.#seen.get(city.name);
      if (before === city) continue;
      const touched = touchedBy(before, city, awakeSinceMs);
      this.#seen.set(city.name, city);
      if (touched === 'All') this.touchAll();
      else for (const key of touched) this.touch(key);
    }
  }

  #look(): void {
    const { agenda, settings, look, onLook } = this.#world;
    const { nowMs } = agenda;
    this.#awakeSinceMs = awakeSince(this.#awakeSinceMs, this.#lastLookMs, nowMs, 5 * LOOK_EVERY_MS);
    this.#lastLookMs = nowMs;
    const cities = this.knowledge();
    this.#noteChanges(cities, this.#awakeSinceMs);
    const seen: HubView = {
      nowMs,
      awakeSinceMs: this.#awakeSinceMs,
      cities,
      services: [...this.intents.values()].map((intent) => {
        const record = this.records.get(intent.key);
        return { intent, ...(record ? { record } : {}) };
      }),
    };
    const sights = sightsOf(cities, nowMs, this.#awakeSinceMs, settings);
    const touched = this.#touched;
    this.#touched = new Set();
    if (this.#last && !isLookDue(this.#last, sights, touched ?? 'All', nowMs)) {
      this.#last = { ...this.#last, sights };
      onLook(seen, { ...this.#last, records: NOTHING_DECIDED });
      return;
    }
    const outcome = look({
      ...seen,
      settings,
      ...(touched ? { touched } : {}),
      ...(this.#last && isQuiet(this.#last, sights, touched ?? 'All') ? { isQuiet: true } : {}),
    });
    this.#last = outcome;
    onLook(seen, outcome);
    this.#store(outcome);
  }

  #store({ records, steadiness }: RegionOutcome): void {
    const cities = new Set<string>();
    for (const [key, record] of records) {
      if (this.#isHalfWritten && this.#world.random.chance(0.5)) continue;
      this.records.set(key, record);
      for (const city of this.#remember(key, record)) cities.add(city);
    }
    for (const [city, one] of steadiness) {
      if (this.#steadiness.get(city) === one) continue;
      this.#steadiness.set(city, one);
      this.#known.delete(city);
    }
    if (this.#isHalfWritten) return;
    for (const city of cities) this.#send(city);
  }

  /** Takes note of the grants that are not obeyed yet. @returns the cities for which there is a new one */
  #remember(key: string, { shares }: ServiceRecord): string[] {
    return [...shares].flatMap(([city, { grant }]) => {
      if (grant.epoch <= (this.#reports.get(city)?.claims.get(key)?.epoch ?? 0)) return [];
      const open = this.#open.get(city) ?? new Map<string, Grant>();
      this.#open.set(city, open);
      if (open.get(key)?.epoch === grant.epoch) return [];
      open.set(key, grant);
      return [city];
    });
  }

  /** All that the city has not said to obey yet. */
  #send(city: string, answers?: number): void {
    const open = this.#open.get(city) ?? new Map<string, Grant>();
    const claims = this.#reports.get(city)?.claims;
    for (const [key, { epoch }] of open) {
      const isStale = this.records.get(key)?.shares.get(city)?.grant.epoch !== epoch;
      if (isStale || epoch <= (claims?.get(key)?.epoch ?? 0)) open.delete(key);
    }
    if (open.size === 0 && answers === undefined) return;
    const message: Grants = { grants: new Map(open), ...(answers === undefined ? {} : { answers }) };
    this.#world.network.send(HUB, city, () => this.#world.deliverToCity(city, message));
  }
}

/** Whether people have changed nothing since. */
function isAsWritten(known: CityKnowledge, spec: CitySpec): boolean {
  return (
    known.labels === spec.labels &&
    known.taints === spec.taints &&
    known.isDraining === spec.isDraining &&
    known.pricePerHour === spec.pricePerHour &&
    known.carbonIntensity === spec.carbonIntensity
  );
}
