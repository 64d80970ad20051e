/** A whole region in one process: an agenda, a network, a hub and its cities. */
import type { Grant } from '../../../operator/plan/failover/claim.ts';
import type { RegionInput } from '../../../operator/plan/failover/look.ts';
import type { ServiceIntent } from '../../../operator/plan/failover/records.ts';
import { lookAtRegion, type RegionOutcome } from '../../../operator/plan/failover/region.ts';
import {
  type FailoverSettings,
  type Rhythm,
  rhythmFor,
  settingsFor,
} from '../../../operator/plan/failover/rhythm.ts';
import { Agenda } from './agenda.ts';
import { SimulatedCity } from './city.ts';
import { type CitySpec, type HubView, SimulatedHub } from './hub.ts';
import { InvariantBroken } from './invariants.ts';
import { Network } from './network.ts';
import { Random } from './random.ts';

export interface RegionOptions {
  readonly seed: number;
  readonly shortestGraceMs: number;
  readonly settings?: Partial<FailoverSettings>;
  readonly trace?: (line: string) => void;
  /** Absent: the operator's own. */
  readonly look?: (input: RegionInput) => RegionOutcome;
  readonly onLook?: (seen: HubView, outcome: RegionOutcome) => void;
}

export class SimulatedRegion {
  readonly random: Random;
  readonly agenda = new Agenda();
  readonly network: Network;
  readonly rhythm: Rhythm;
  readonly settings: FailoverSettings;
  readonly hub: SimulatedHub;
  readonly cities = new Map<string, SimulatedCity>();
  readonly #options: RegionOptions;
  readonly #peers = new Map<string, SimulatedCity[]>();

  constructor(options: RegionOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.network = new Network(this.agenda, this.random);
    this.rhythm = rhythmFor(options.shortestGraceMs);
    this.settings = { ...settingsFor(this.rhythm), ...options.settings };
    this.hub = new SimulatedHub({
      agenda: this.agenda,
      network: this.network,
      random: this.random,
      settings: this.settings,
      look: options.look ?? lookAtRegion,
      deliverToCity: (city, message) => this.cities.get(city)?.receive(message),
      onLook: (seen, outcome) => {
        if (options.trace) this.#traceLook(seen, outcome);
        options.onLook?.(seen, outcome);
      },
    });
  }

  addCity(
    name: string,
    capacity: Readonly<Record<string, number>>,
    spec: Partial<CitySpec> = {},
  ): SimulatedCity {
    this.hub.cities.set(name, { name, labels: {}, taints: [], isDraining: false, ...spec });
    const city = new SimulatedCity(name, capacity, {
      agenda: this.agenda,
      network: this.network,
      random: this.random,
      rhythm: this.rhythm,
      trace: (text) => this.trace(text),
      demandOf: (service) => this.hub.intents.get(service)!.demand,
      deliverToHub: (report) => this.hub.receive(report),
      peersOf: (one) => this.#peersOf(one),
      onObey: checkObeyed,
    });
    this.cities.set(name, city);
    this.#peers.clear();
    return city;
  }

  addService(intent: ServiceIntent): void {
    this.hub.intents.set(intent.key, intent);
    this.hub.touch(intent.key);
  }

  /** Changes what is wanted of a service, as an edit of its object does. */
  edit(key: string, change: Partial<ServiceIntent>): void {
    this.addService({ ...this.hub.intents.get(key)!, ...change });
  }

  start(): void {
    this.hub.start();
    for (const city of this.cities.values()) city.start();
  }

  trace(text: string): void {
    this.#options.trace?.(`${(this.agenda.nowMs / 1000).toFixed(1).padStart(7)} s  ${text}`);
  }

  /** What every city has of every service. */
  tellAll(): void {
    for (const [key, record] of this.hub.records) {
      const { replicas, maximum } = this.hub.intents.get(key)!;
      this.trace(`${key} wants ${replicas}, at most ${maximum}, waits for ${record.waiting}`);
      for (const [city, share] of record.shares) {
        const { running, ready } = this.cities.get(city)!.podsOf(key);
        this.trace(`  ${city}: ${summary(share)}; runs ${running}, ${ready} ready`);
      }
    }
  }

  /** Each city looks at the next four in a ring: enough for a second view, and few enough for a large region. */
  #peersOf(city: string): SimulatedCity[] {
    const known = this.#peers.get(city);
    if (known) return known;
    const all = [...this.cities.values()];
    const at = all.findIndex(({ name }) => name === city);
    const count = Math.min(4, all.length - 1);
    const peers = Array.from({ length: count }, (_, i) => all[(at + i + 1) % all.length]!);
    this.#peers.set(city, peers);
    return peers;
  }

  #traceLook(seen: HubView, { records }: RegionOutcome): void {
    for (const [key, record] of records) {
      const before = seen.services.find(({ intent }) => intent.key === key)?.record;
      for (const [city, share] of record.shares) {
        const [was, is] = [summary(before?.shares.get(city)), summary(share)];
        if (was !== is) this.trace(`hub: ${key} in ${city}: ${was} → ${is}`);
      }
      if (before?.waiting !== record.waiting) {
        this.trace(`hub: ${key} waits for ${record.waiting} ${record.why?.message ?? ''}`);
      }
    }
  }
}

/** A city gives nothing up by what was decided before it last spoke up, and never goes back. */
function checkObeyed(city: SimulatedCity, service: string, before: Grant | undefined, grant: Grant): void {
  if (grant.session !== city.session) {
    throw new InvariantBroken(`${city.name} obeys ${service} #${grant.epoch} of an earlier session`);
  }
  if (before && grant.epoch <= before.epoch) {
    throw new InvariantBroken(`${city.name} obeys ${service} #${grant.epoch} after #${before.epoch}`);
  }
}

interface Summarised {
  readonly assigned: number;
  readonly grant: Grant;
  readonly mayHold: number;
  readonly standing: { readonly phase: string };
}

function summary(share: Summarised | undefined): string {
  if (!share) return 'nothing';
  const { assigned, grant, mayHold, standing } = share;
  return `${standing.phase} meant ${assigned}, granted ${grant.floor}–${grant.ceiling} (#${grant.epoch}), may hold ${mayHold}`;
}
