/** The stage in the simulator: a virtual clock, the operator's own decisions, and nothing that runs. */
import type { CityClusterSpec } from '../../../crds/city-cluster.ts';
import { ModelServiceSpec } from '../../../crds/model-service.ts';
import { Placement } from '../../../crds/placement.ts';
import { decisionsOf } from '../../../operator/plan/failover/decisions.ts';
import type { ServiceIntent } from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
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

export class SimulatorStage implements ScenarioStage {
  readonly #region: SimulatedRegion;
  readonly #specs = new Map<string, ModelServiceSpec>();
  readonly #watcher = new Watcher();
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
      this.#region.addCity(name, { [GPU]: gpus }, { labels, ...citySpec(spec) });
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
  }

  async look(): Promise<Picture> {
    const { hub } = this.#region;
    const names = [...hub.intents.keys()].map((key) => [key.split('/')[1]!, key] as const);
    return {
      services: Object.fromEntries(names.map(([name, key]) => [name, this.#lookAt(key)])),
    };
  }

  #lookAt(key: string): ServicePicture {
    const { hub, cities } = this.#region;
    const record = hub.records.get(key);
    const sights = this.#last?.outcome.sights;
    const heard = [...(sights?.values() ?? [])].filter(({ isSilent }) => !isSilent);
    const decisions = record && sights ? decisionsOf(hub.intents.get(key)!, record, sights) : [];
    return {
      ready: Object.fromEntries(heard.map(({ city }) => [city.name, city.claims.get(key)?.ready ?? 0])),
      runs: Object.fromEntries([...cities].map(([name, city]) => [name, city.podsOf(key).running])),
      waiting: record?.waiting ?? 0,
      ...(record?.why ? { why: record.why.reason } : {}),
      decisions: Object.fromEntries(decisions.map(({ city, reason }) => [city, reason])),
    };
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
    this.#region.addService(intentOf(keyOf(service), spec));
  }

  #city(name: string) {
    return this.#region.cities.get(name)!;
  }

  #others(city: string): string[] {
    return [HUB, ...this.#region.cities.keys()].filter((other) => other !== city);
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

function intentOf(key: string, spec: ModelServiceSpec): ServiceIntent {
  const { replicas, autoscaling, gpu, placement = Placement.parse({}) } = spec;
  return {
    key,
    priority: placement.priority,
    replicas,
    maximum: autoscaling?.maxReplicas ?? replicas,
    isAutoscaled: autoscaling !== undefined,
    placement,
    demand: [{ resource: gpu.resource, amount: gpu.count }],
  };
}
