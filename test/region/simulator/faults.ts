/** What goes wrong, and what people change meanwhile: a schedule drawn from a seed. */
import { Placement } from '../../../crds/placement.ts';
import type { ServiceIntent } from '../../../operator/plan/failover/records.ts';
import type { CitySpec } from './hub.ts';
import { HUB } from './network.ts';
import type { Random } from './random.ts';
import type { SimulatedRegion } from './region.ts';

export const GPU = 'nvidia.com/gpu';
export const REGIONS = ['norte', 'centro', 'sul'] as const;

export interface Fault {
  readonly kind: string;
  /** What it touches, for the trace and for the invariants: a city, the hub, or a service. */
  readonly on: string;
  readonly begin: () => void;
  /** Undefined for a change that stays. */
  readonly end?: () => void;
  /** Whether it may keep the hub and a city from hearing each other. */
  readonly disturbs?: boolean;
}

type Draw = (region: SimulatedRegion) => Fault | undefined;

/** Faults of links and machines. */
const DISTURBANCES: readonly Draw[] = [
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    return { kind: 'city lost', on: city.name, begin: () => city.lose(), end: () => city.recover() };
  },
  ({ random, cities, network }) => {
    const { name } = random.pick([...cities.values()]);
    return {
      kind: 'hub–city partition',
      on: name,
      begin: () => network.cut(HUB, name),
      end: () => network.heal(HUB, name),
    };
  },
  ({ random, cities, network }) => {
    const { name } = random.pick([...cities.values()]);
    const places = [HUB, ...cities.keys()].filter((other) => other !== name);
    return {
      kind: 'city cut off from all',
      on: name,
      begin: () => {
        for (const other of places) network.cut(name, other);
      },
      end: () => {
        for (const other of places) network.heal(name, other);
      },
    };
  },
  ({ random, cities, network }) => {
    const names = [...cities.keys()];
    if (names.length < 2) return undefined;
    const a = random.pick(names);
    const b = random.pick(names.filter((other) => other !== a));
    return {
      kind: 'city–city partition',
      on: `${a} ${b}`,
      begin: () => network.cut(a, b),
      end: () => network.heal(a, b),
    };
  },
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    return { kind: 'city paused', on: city.name, begin: () => city.pause(), end: () => city.resume() };
  },
  ({ random, cities, network }) => {
    const { name } = random.pick([...cities.values()]);
    const weather = { lossShare: random.fraction() * 0.4, slowestMs: random.whole(100, 12_000) };
    return {
      kind: 'slow reports',
      on: name,
      begin: () => network.setWeather(name, weather),
      end: () => network.setWeather(name, undefined),
    };
  },
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    return {
      kind: 'nothing becomes ready',
      on: city.name,
      begin: () => city.becomeUnfit(),
      end: () => city.becomeFit(),
    };
  },
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    return { kind: 'agent restarted', on: city.name, begin: () => city.restartAgent() };
  },
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    return { kind: 'city reinstalled', on: city.name, begin: () => city.reinstall() };
  },
  ({ hub, random }) => {
    const how = random.pick(['Plain', 'Plain', 'HalfWritten', 'Amnesia'] as const);
    return { kind: `hub lost (${how})`, on: HUB, begin: () => hub.lose(how), end: () => hub.recover() };
  },
  ({ hub }) => ({ kind: 'hub paused', on: HUB, begin: () => hub.pause(), end: () => hub.resume() }),
];

/** What people do to cities, one at a time and with care. */
const MAINTENANCE: readonly Draw[] = [
  (region) =>
    citySpec(
      region,
      'drained',
      (spec) => (spec.isDraining = true),
      (spec) => (spec.isDraining = false),
    ),
  (region) => {
    const effect = region.random.pick(['NoSchedule', 'NoExecute', 'PreferNoSchedule'] as const);
    return citySpec(
      region,
      `tainted ${effect}`,
      (spec) => (spec.taints = [{ key: 'roof', effect }]),
      (spec) => (spec.taints = []),
    );
  },
];

/** Changes that stay. */
const EDITS: readonly Draw[] = [
  (region) =>
    edit(region, 'replicas', (random, { maximum, isAutoscaled }) => {
      const replicas = random.whole(isAutoscaled ? 1 : 0, 7);
      return { replicas, maximum: isAutoscaled ? Math.max(maximum, replicas) : replicas };
    }),
  (region) =>
    edit(region, 'maximum', (random, { replicas, isAutoscaled }) =>
      isAutoscaled ? { maximum: replicas + random.whole(0, 8) } : {},
    ),
  (region) =>
    edit(region, 'autoscaling', (random, { replicas, isAutoscaled }) =>
      isAutoscaled || replicas === 0
        ? { isAutoscaled: false, maximum: replicas }
        : { isAutoscaled: true, maximum: replicas + random.whole(0, 8) },
    ),
  (region) => edit(region, 'priority', (random) => ({ priority: random.pick([0, 0, 5, 10]) })),
  (region) => edit(region, 'placement', (random) => ({ placement: anyPlacement(random) })),
  (region) => edit(region, 'deleted', () => ({ replicas: 0, maximum: 0, isAutoscaled: false })),
  ({ random, hub, cities }) => {
    const key = random.pick([...hub.intents.keys()]);
    const loads = [...cities.values()].map((city) => ({ city, needed: random.whole(0, 12) }));
    return {
      kind: 'load',
      on: key,
      begin: () => {
        for (const { city, needed } of loads) city.setNeeded(key, needed);
      },
    };
  },
  ({ random, cities }) => {
    const city = random.pick([...cities.values()]);
    const gpus = random.whole(0, 12);
    return { kind: `capacity ${gpus}`, on: city.name, begin: () => city.changeCapacity({ [GPU]: gpus }) };
  },
  (region) => {
    const label = region.random.pick(REGIONS);
    return citySpec(region, `relabelled ${label}`, (spec) => (spec.labels = { region: label }));
  },
  (region) => {
    const { random, hub, cities } = region;
    const intent = anyIntent(random, `default/new-${hub.intents.size}`);
    return {
      kind: 'service added',
      on: intent.key,
      begin: () => {
        region.addService(intent);
        for (const city of cities.values()) city.setNeeded(intent.key, random.whole(0, 6));
      },
    };
  },
];

export type FaultClass = 'All' | 'Maintenance';

export function drawFault(region: SimulatedRegion, of: FaultClass): Fault | undefined {
  if (of === 'Maintenance') return region.random.pick(MAINTENANCE)(region);
  const roll = region.random.fraction();
  const draws = roll < 0.55 ? DISTURBANCES : roll < 0.7 ? MAINTENANCE : EDITS;
  const fault = region.random.pick(draws)(region);
  return fault && { ...fault, disturbs: draws === DISTURBANCES };
}

function citySpec(
  { random, hub }: SimulatedRegion,
  kind: string,
  begin: (spec: CitySpec) => void,
  end?: (spec: CitySpec) => void,
): Fault {
  const spec = random.pick([...hub.cities.values()]);
  const change = (how: (spec: CitySpec) => void) => () => {
    how(spec);
    hub.touchAll();
  };
  return { kind, on: spec.name, begin: change(begin), ...(end ? { end: change(end) } : {}) };
}

function edit(
  region: SimulatedRegion,
  kind: string,
  change: (random: Random, intent: ServiceIntent) => Partial<ServiceIntent>,
): Fault {
  const { random, hub } = region;
  const key = random.pick([...hub.intents.keys()]);
  const begin = (): void => region.edit(key, change(random, hub.intents.get(key)!));
  return { kind: `edit ${kind}`, on: key, begin };
}

export function anyIntent(random: Random, key: string): ServiceIntent {
  const replicas = random.whole(1, 6);
  const isAutoscaled = random.chance(0.4);
  return {
    key,
    priority: random.pick([0, 0, 0, 5, 10]),
    replicas,
    maximum: isAutoscaled ? replicas + random.whole(0, 8) : replicas,
    isAutoscaled,
    placement: anyPlacement(random),
    demand: [{ resource: GPU, amount: random.pick([1, 1, 1, 2]) }],
  };
}

function anyPlacement(random: Random): Placement {
  const inRegion = (region: string) => ({ matchLabels: { region } });
  const some = <T>(probability: number, value: T): T | undefined =>
    random.chance(probability) ? value : undefined;
  const parts = {
    residency: some(0.2, {
      matchExpressions: [{ key: 'region', operator: 'NotIn', values: [random.pick(REGIONS)] }],
    }),
    selector: some(0.1, inRegion(random.pick(REGIONS))),
    groups: some(0.15, [
      { name: 'own', selector: inRegion(random.pick(REGIONS)) },
      { name: 'all', selector: {} },
    ]),
    preferred: some(0.2, [{ weight: random.whole(1, 100), selector: inRegion(random.pick(REGIONS)) }]),
    weights: some(0.3, { freeCapacity: random.whole(0, 100), price: random.whole(0, 100) }),
    spread: some(0.25, {
      topologyKey: random.pick(['region', 'aicity.io/city']),
      minGroups: random.whole(1, 3),
      maxSkew: random.whole(1, 3),
      whenUnsatisfiable: random.pick(['DoNotSchedule', 'ScheduleAnyway'] as const),
    }),
    tolerations: some(0.1, [{ operator: 'Exists' as const }]),
    failover: { graceSeconds: random.pick([30, 30, 60]) },
  };
  return Placement.parse(
    Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  );
}
