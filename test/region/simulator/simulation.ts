/** One schedule from beginning to end: a region comes up, things go wrong, it becomes calm, all must be well. */
import type { Grant } from '../../../operator/plan/failover/claim.ts';
import type { ServiceIntent, ServiceRecord } from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { rhythmFor, settingsFor } from '../../../operator/plan/failover/rhythm.ts';
import { Agenda } from './agenda.ts';
import { SimulatedCity } from './city.ts';
import { checkConverged } from './convergence.ts';
import { anyIntent, drawFault, type Fault, type FaultClass, GPU, REGIONS, type Stage } from './faults.ts';
import { type HubView, SimulatedHub } from './hub.ts';
import { broken, checkLook, InvariantBroken } from './invariants.ts';
import { HUB, Network } from './network.ts';
import { Random } from './random.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly of?: FaultClass;
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly looks: number;
  readonly messages: number;
  readonly faults: readonly string[];
  /** How often a city was written off, counted per service. */
  readonly failovers: number;
  /** What was broken, undefined when all held. */
  readonly failure?: string;
}

/** At the end nothing has been decided for so long. */
const QUIET_MS = 120_000;
const SHORTEST_GRACE_MS = 30_000;
const UP_BY_MS = 60_000;
const CALM_FROM_MS = 500_000;
/** Beyond the longest grace, the longest settling, and a rebalance after it. */
const END_MS = CALM_FROM_MS + 400_000;

export function simulate(options: SimulationOptions): SimulationResult {
  const simulation = new Simulation(options);
  try {
    simulation.run();
    return simulation.result();
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    simulation.tellAll();
    return { ...simulation.result(), failure: error.message };
  }
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #agenda = new Agenda();
  readonly #network: Network;
  readonly #rhythm = rhythmFor(SHORTEST_GRACE_MS);
  readonly #settings = {
    ...settingsFor(this.#rhythm),
    settleMs: 20_000,
    longestSettleMs: 120_000,
    moveTimeoutMs: 60_000,
    forgetMs: 300_000,
    maxMoves: 3,
  };
  readonly #hub: SimulatedHub;
  readonly #cities = new Map<string, SimulatedCity>();
  readonly #disturbed = new Map<string, number>();
  readonly #under = new Map<string, Fault>();
  readonly #faults: string[] = [];
  /** By place: how often it may have been silent for a whole grace. */
  readonly #losses = new Map<string, number>();
  readonly #writtenOff = new Map<string, number>();
  /** Services that have had all guaranteed replicas ready. */
  readonly #complete = new Set<string>();
  #changedAtMs = 0;
  #looks = 0;
  #failovers = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#network = new Network(this.#agenda, this.#random);
    this.#hub = new SimulatedHub({
      agenda: this.#agenda,
      network: this.#network,
      random: this.#random,
      settings: this.#settings,
      deliverToCity: (city, message) => this.#cities.get(city)?.receive(message),
      onLook: (seen, outcome) => this.#onLook(seen, outcome),
    });
  }

  result(): SimulationResult {
    return {
      seed: this.#options.seed,
      looks: this.#looks,
      messages: this.#network.sent,
      faults: this.#faults,
      failovers: this.#failovers,
    };
  }

  run(): void {
    this.#build();
    this.#planFaults();
    this.#agenda.runUntil(CALM_FROM_MS);
    this.#network.isCalm = true;
    this.#agenda.runUntil(END_MS);
    checkConverged(this.#hub, this.#cities);
    this.#checkQuiet();
    this.#checkFailovers();
  }

  /** What every city has of every service, for the trace of a failure. */
  tellAll(): void {
    for (const [key, record] of this.#hub.records) {
      const { replicas, maximum } = this.#hub.intents.get(key)!;
      this.#trace(`${key} wants ${replicas}, at most ${maximum}, waits for ${record.waiting}`);
      for (const [city, share] of record.shares) {
        const { running, ready } = this.#cities.get(city)!.podsOf(key);
        this.#trace(`  ${city}: ${summary(share)}; runs ${running}, ${ready} ready`);
      }
    }
  }

  #build(): void {
    const random = this.#random;
    const isMaintenance = this.#options.of === 'Maintenance';
    for (let i = random.whole(2, 7); i > 0; i--) {
      const name = `city-${i}`;
      this.#hub.cities.set(name, {
        name,
        labels: { region: random.pick(REGIONS) },
        taints: [],
        isDraining: false,
        pricePerHour: random.whole(1, 4),
      });
      const capacity = { [GPU]: isMaintenance ? 60 : random.whole(1, 12) };
      this.#cities.set(name, this.#newCity(name, capacity));
    }
    for (let i = random.whole(1, 8); i > 0; i--) this.#addService(anyIntent(random, `default/s${i}`));
    this.#hub.start();
    for (const city of this.#cities.values()) city.start();
  }

  #newCity(name: string, capacity: Readonly<Record<string, number>>): SimulatedCity {
    return new SimulatedCity(name, capacity, {
      agenda: this.#agenda,
      network: this.#network,
      random: this.#random,
      rhythm: this.#rhythm,
      trace: (text) => this.#trace(text),
      demandOf: (service) => this.#hub.intents.get(service)!.demand,
      deliverToHub: (report) => this.#hub.receive(report),
      peersOf: (city) => this.#peersOf(city),
      onObey: (city, service, before, grant) => this.#onObey(city, service, before, grant),
    });
  }

  /** Each city looks at the next four in a ring: enough for a second view, and few enough for a large region. */
  #peersOf(city: string): SimulatedCity[] {
    const all = [...this.#cities.values()];
    const at = all.findIndex(({ name }) => name === city);
    const count = Math.min(4, all.length - 1);
    return Array.from({ length: count }, (_, i) => all[(at + i + 1) % all.length]!);
  }

  #addService(intent: ServiceIntent): void {
    this.#hub.intents.set(intent.key, intent);
    for (const city of this.#cities.values()) city.setNeeded(intent.key, this.#random.whole(0, 6));
    this.#hub.touch(intent.key);
  }

  #planFaults(): void {
    const random = this.#random;
    const stage: Stage = {
      random,
      network: this.#network,
      hub: this.#hub,
      cities: this.#cities,
      addService: (intent) => this.#addService(intent),
    };
    for (let i = random.whole(1, 10); i > 0; i--) {
      const atMs = random.whole(UP_BY_MS, CALM_FROM_MS - 20_000);
      const lastsMs = Math.min(random.whole(2_000, 180_000), CALM_FROM_MS - atMs);
      this.#agenda.after(atMs, () => {
        const fault = drawFault(stage, this.#options.of ?? 'All');
        if (fault && this.#isPossible(fault)) this.#let(fault, lastsMs);
      });
    }
  }

  /** The same thing cannot be down twice, nor be paused while it is down. */
  #isPossible({ on }: Fault): boolean {
    return !this.#under.has(on);
  }

  #let(fault: Fault, lastsMs: number): void {
    const { kind, on, begin, end } = fault;
    this.#faults.push(kind);
    this.#trace(`${kind}: ${on}${end ? ` for ${Math.round(lastsMs / 1000)} s` : ''}`);
    begin();
    if (fault.disturbs) {
      const times = Math.ceil((lastsMs + this.#rhythm.heartbeatMs * 2) / SHORTEST_GRACE_MS);
      for (const place of on.split(' ')) this.#losses.set(place, (this.#losses.get(place) ?? 0) + times);
    }
    if (!end) return;
    this.#under.set(on, fault);
    this.#agenda.after(lastsMs, () => {
      this.#trace(`${kind} ends: ${on}`);
      this.#under.delete(on);
      if (fault.disturbs) this.#disturbed.set(on, this.#agenda.nowMs);
      end();
    });
  }

  #onLook(seen: HubView, outcome: RegionOutcome): void {
    this.#looks++;
    for (const [key, record] of outcome.records) {
      const before = seen.services.find(({ intent }) => intent.key === key)?.record;
      for (const [city, share] of record.shares) {
        const old = before?.shares.get(city);
        if (old?.standing.phase !== share.standing.phase && share.standing.phase === 'Moving')
          this.#failovers++;
        if (!this.#options.trace) continue;
        const [was, is] = [summary(old), summary(share)];
        if (was !== is) this.#trace(`hub: ${key} in ${city}: ${was} → ${is}`);
      }
      if (before?.waiting !== record.waiting)
        this.#trace(`hub: ${key} waits for ${record.waiting} ${record.why?.message ?? ''}`);
    }
    checkLook({
      seen,
      outcome,
      settings: this.#settings,
      cities: this.#cities,
      disturbedAtMs: (city) => this.#disturbedAt(city),
      hasForgotten: this.#faults.some((kind) => kind.includes('Amnesia')),
    });
    if (this.#options.of === 'Maintenance' && seen.nowMs >= UP_BY_MS) this.#checkNothingLost();
    if ([...outcome.records].some(([key, record]) => isNews(seen, key, record)))
      this.#changedAtMs = seen.nowMs;
  }

  /**
   * Maintenance costs no guaranteed replica, seen from the cities and not from the hub: once all were ready, all stay
   * ready, as long as there is a place for all.
   */
  #checkNothingLost(): void {
    for (const [key, { replicas }] of this.#hub.intents) {
      const ready = [...this.#cities.values()].reduce((sum, city) => sum + city.podsOf(key).ready, 0);
      const isPlaced = this.#hub.records.get(key)?.waiting === 0;
      if (!isPlaced) this.#complete.delete(key);
      else if (ready >= replicas) this.#complete.add(key);
      else if (this.#complete.has(key)) {
        broken(key, `only ${ready} of ${replicas} replicas are ready during maintenance`);
      }
    }
  }

  /** What has come to rest stays at rest. */
  #checkQuiet(): void {
    const quietMs = this.#agenda.nowMs - this.#changedAtMs;
    if (quietMs < QUIET_MS) throw new InvariantBroken(`something was decided ${quietMs} ms before the end`);
  }

  /** No city is written off more often than it was kept from being heard for as long as the grace. */
  #checkFailovers(): void {
    for (const [where, count] of this.#writtenOff) {
      const most = this.#losses.get(where.split(' ')[1]!) ?? 0;
      const all = most + (this.#losses.get(HUB) ?? 0);
      if (count > all) throw new InvariantBroken(`${where} was written off ${count} times for ${all} losses`);
    }
  }

  #disturbedAt(city: string): number | undefined {
    if (this.#under.get(city)?.disturbs || this.#under.get(HUB)?.disturbs) return this.#agenda.nowMs;
    const times = [this.#disturbed.get(city), this.#disturbed.get(HUB)].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /** A city gives nothing up by what was decided before it last spoke up. */
  #onObey(city: SimulatedCity, service: string, before: Grant | undefined, grant: Grant): void {
    if (grant.session !== city.session) {
      throw new InvariantBroken(`${city.name} obeys ${service} #${grant.epoch} of an earlier session`);
    }
    if (before && grant.epoch <= before.epoch) {
      throw new InvariantBroken(`${city.name} obeys ${service} #${grant.epoch} after #${before.epoch}`);
    }
  }

  #trace(text: string): void {
    this.#options.trace?.(`${(this.#agenda.nowMs / 1000).toFixed(1).padStart(7)} s  ${text}`);
  }
}

/** Whether a look changed more than how a city stands: a heartbeat may always be late. */
function isNews(seen: HubView, key: string, { shares, waiting }: ServiceRecord): boolean {
  const before = seen.services.find(({ intent }) => intent.key === key)?.record;
  if (before?.waiting !== waiting || before.shares.size !== shares.size) return true;
  return [...shares].some(([city, { assigned, grant }]) => {
    const old = before.shares.get(city);
    return old?.assigned !== assigned || old.grant.epoch !== grant.epoch;
  });
}

function summary(
  share: { assigned: number; grant: Grant; mayHold: number; standing: { phase: string } } | undefined,
): string {
  if (!share) return 'nothing';
  const { assigned, grant, mayHold, standing } = share;
  return `${standing.phase} meant ${assigned}, granted ${grant.floor}–${grant.ceiling} (#${grant.epoch}), may hold ${mayHold}`;
}
