/** The stage in the simulator: a virtual clock, the operator's own decisions, and nothing that runs. */
import type { CityClusterSpec } from '../../../crds/city-cluster.ts';
import { API_VERSION, ModelServiceSpec } from '../../../crds/model-service.ts';
import { Placement } from '../../../crds/placement.ts';
import { decisionsOf } from '../../../operator/plan/failover/decisions.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { cityStatus } from '../../../operator/plan/hub/city-status.ts';
import { endpointsOf } from '../../../operator/plan/hub/endpoints.ts';
import { holdingsOf } from '../../../operator/plan/hub/holdings.ts';
import { intentOf } from '../../../operator/plan/hub/intent.ts';
import { type CityPart, partsOf } from '../../../operator/plan/hub/parts.ts';
import { GPU } from '../simulator/faults.ts';
import type { HubView } from '../simulator/hub.ts';
import { HUB } from '../simulator/network.ts';
import { SimulatedRegion } from '../simulator/region.ts';
import { Watcher } from '../simulator/watcher.ts';
import { mergePatched } from './merge-patch.ts';
import type { ScenarioStage } from './perform.ts';
import type { Picture, ServicePicture } from './picture.ts';
import { NAMESPACE, type Scenario } from './scenario.ts';

export interface SimulatorOptions {
  readonly seed: number;
  readonly trace?: (line: string) => void;
}

/** The place on the network from which requests come. */
const CLIENTS = 'clients';
const NOTHING_HELD = { services: 0, guaranteed: 0, stuck: [], phases: new Set<never>() };

export class SimulatorStage implements ScenarioStage {
  readonly #region: SimulatedRegion;
  readonly #specs = new Map<string, ModelServiceSpec>();
  readonly #watcher = new Watcher();
  /** By service: the endpoints that clients know of. */
  readonly #read = new Map<string, readonly string[]>();
  readonly #lost = new Map<string, { readonly city: string; readonly atSeconds: number }[]>();
  #last: { readonly seen: HubView; readonly outcome: RegionOutcome } | undefined;

  constructor({ cities, services }: Scenario, { seed, trace }: SimulatorOptions) {
    const graces = Object.values(services).map(({ placement }) => {
      return (placement ?? Placement.parse({})).failover.graceSeconds;
    });
    this.#region = new SimulatedRegion({
      seed,
      shortestGraceMs: Math.min(...graces) * 1000,
      ...(trace ? { trace } : {}),
      onLook: (seen, outcome) => {
        this.#watcher.onLook(this.#region, seen, outcome);
        this.#last = { seen, outcome };
      },
    });
    for (const [name, { gpus, labels, ...spec }] of Object.entries(cities)) {
      this.#region.addCity(name, { ...AMPLE, [GPU]: gpus }, { labels, ...citySpec(spec) });
    }
    for (const [name, spec] of Object.entries(services)) this.#add(name, spec);
    this.#region.start();
  }

  elapsed(): number {
    return this.#region.agenda.nowMs / 1000;
  }

  async pass(seconds: number): Promise<void> {
    const { agenda } = this.#region;
    agenda.runUntil(agenda.nowMs + seconds * 1000);
    for (const key of this.#region.hub.intents.keys()) this.#askOnce(key);
  }

  unanswered(service: string, sinceSeconds: number): string[] {
    return (this.#lost.get(service) ?? [])
      .filter(({ atSeconds }) => atSeconds > sinceSeconds)
      .map(({ city }) => city);
  }

  /** One request to every city to which clients were sent when they looked last; then they look again. */
  #askOnce(key: string): void {
    const service = key.split('/')[1]!;
    const lost = this.#lost.get(service) ?? [];
    this.#lost.set(service, lost);
    for (const city of this.#read.get(key) ?? []) {
      const asked = this.#city(city);
      const isReached = asked.isAlive && this.#region.network.isOpen(CLIENTS, city);
      if (!isReached || asked.podsOf(key).ready === 0) lost.push({ city, atSeconds: this.elapsed() });
    }
    if (this.#region.hub.isUp && !this.#region.hub.isPaused) this.#read.set(key, this.#endpointsOf(key));
  }

  async look(): Promise<Picture> {
    const { hub } = this.#region;
    const names = [...hub.intents.keys()].map((key) => [key.split('/')[1]!, key] as const);
    return {
      services: Object.fromEntries(names.map(([name, key]) => [name, this.#lookAt(key)])),
      cities: this.#readyReasons(),
    };
  }

  #lookAt(key: string): ServicePicture {
    const { hub, cities } = this.#region;
    const record = hub.records.get(key);
    const parts = this.#partsOf(key);
    const decisions = record && this.#sights ? decisionsOf(hub.intents.get(key)!, record, this.#sights) : [];
    return {
      ready: Object.fromEntries(
        parts.filter(({ isHeard }) => isHeard).map(({ city, ready }) => [city, ready]),
      ),
      runs: Object.fromEntries([...cities].map(([name, city]) => [name, city.podsOf(key).running])),
      waiting: record?.waiting ?? 0,
      ...(record?.why ? { why: record.why.reason } : {}),
      decisions: Object.fromEntries(decisions.map(({ city, reason }) => [city, reason])),
      endpoints: this.#endpointsOf(key),
    };
  }

  get #sights(): RegionOutcome['sights'] | undefined {
    return this.#last?.outcome.sights;
  }

  #endpointsOf(key: string): string[] {
    return endpointsOf(this.#partsOf(key)).map(({ city }) => city);
  }

  #partsOf(key: string): CityPart[] {
    const record = this.#region.hub.records.get(key);
    const sights = this.#sights;
    if (!record || !sights) return [];
    return partsOf(record, {
      sights,
      revision: '',
      claimOf: (city) => {
        const claim = sights.get(city)?.city.claims.get(key);
        return claim && { ...claim, url: `http://${city}:30000` };
      },
      isTwoAgents: () => false,
      lastHeardAtMs: (city) => sights.get(city)?.city.heardAtMs,
    });
  }

  #readyReasons(): Record<string, string> {
    const holdings = holdingsOf(this.#region.hub.records.values());
    const reasons = [...(this.#sights ?? [])].map(([name, sight]): [string, string] => {
      const { isDraining } = this.#region.hub.cities.get(name)!;
      const claims = Object.fromEntries([...sight.city.claims].map(([key, claim]) => [key, claim]));
      const { conditions = [] } = cityStatus({
        city: { metadata: { name, uid: name, generation: 1 }, spec: { drain: isDraining } },
        report: sight.city.session === undefined ? undefined : { session: '', sequence: 0, claims },
        sight,
        holding: { ...(holdings.get(name) ?? NOTHING_HELD), unknown: [] },
        isTwoAgents: false,
        now: '',
      });
      return [name, conditions.find(({ type }) => type === 'Ready')!.reason];
    });
    return Object.fromEntries(reasons);
  }

  async partition(city: string): Promise<void> {
    this.#disturb(city);
    for (const other of this.#others(city)) this.#region.network.cut(city, other);
  }

  async heal(city: string): Promise<void> {
    for (const other of this.#others(city)) this.#region.network.heal(city, other);
    this.#calm(city);
  }

  async cutFromHub(city: string): Promise<void> {
    this.#disturb(city);
    this.#region.network.cut(HUB, city);
  }

  async reconnectToHub(city: string): Promise<void> {
    this.#region.network.heal(HUB, city);
    this.#calm(city);
  }

  async pause(city: string): Promise<void> {
    this.#disturb(city);
    this.#city(city).pause();
  }

  async resume(city: string): Promise<void> {
    this.#city(city).resume();
    this.#calm(city);
  }

  async kill(city: string): Promise<void> {
    this.#disturb(city);
    this.#city(city).lose();
  }

  async start(city: string): Promise<void> {
    this.#city(city).recover();
    this.#calm(city);
  }

  async killHub(): Promise<void> {
    this.#disturb(HUB);
    this.#region.hub.lose('Plain');
  }

  async startHub(): Promise<void> {
    this.#region.hub.recover();
    this.#calm(HUB);
  }

  async pauseHub(): Promise<void> {
    this.#disturb(HUB);
    this.#region.hub.pause();
  }

  async resumeHub(): Promise<void> {
    this.#region.hub.resume();
    this.#calm(HUB);
  }

  async drain(city: string, drain: boolean): Promise<void> {
    this.#region.hub.cities.get(city)!.isDraining = drain;
    this.#region.hub.touchAll();
  }

  async scale(service: string, replicas: number): Promise<void> {
    await this.edit(service, { replicas });
  }

  async edit(service: string, patch: Readonly<Record<string, unknown>>): Promise<void> {
    this.#add(service, ModelServiceSpec.parse(mergePatched(this.#specs.get(service), patch)));
  }

  async add(service: string, spec: ModelServiceSpec): Promise<void> {
    this.#add(service, spec);
  }

  async delete(service: string): Promise<void> {
    this.#region.edit(keyOf(service), { replicas: 0, maximum: 0, isAutoscaled: false });
  }

  #add(service: string, spec: ModelServiceSpec): void {
    this.#specs.set(service, spec);
    const metadata = { name: service, namespace: NAMESPACE, uid: service, generation: 1 };
    this.#region.addService(
      intentOf({
        apiVersion: API_VERSION,
        kind: 'ModelService',
        metadata,
        spec: { placement: Placement.parse({}), ...spec },
      })!,
    );
  }

  #city(name: string) {
    return this.#region.cities.get(name)!;
  }

  #others(city: string): string[] {
    return [HUB, CLIENTS, ...this.#region.cities.keys()].filter((other) => other !== city);
  }

  /** The invariants are told what may explain that a city is written off. */
  #disturb(on: string): void {
    this.#watcher.begins({ kind: 'scenario', on, begin: () => {}, end: () => {}, disturbs: true }, 0, 1);
  }

  #calm(on: string): void {
    const fault = { kind: 'scenario', on, begin: () => {}, disturbs: true };
    this.#watcher.ends(fault, this.#region.agenda.nowMs);
  }
}

function keyOf(service: string): string {
  return `${NAMESPACE}/${service}`;
}

function citySpec({ taints = [], drain, pricePerHour, carbonIntensity }: CityClusterSpec) {
  return {
    taints,
    isDraining: drain,
    ...(pricePerHour === undefined ? {} : { pricePerHour }),
    ...(carbonIntensity === undefined ? {} : { carbonIntensity }),
  };
}

/** What every city has of what the GPUs do not limit. */
const AMPLE = { cpu: 1_000, memory: 1e12 };
