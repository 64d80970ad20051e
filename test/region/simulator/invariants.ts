/** What must hold at every moment, checked by other means than the code that is to bring it about. */
import { handoverLimit } from '../../../operator/plan/failover/handover.ts';
import type {
  CityKnowledge,
  ServiceIntent,
  ServiceRecord,
  ShareRecord,
} from '../../../operator/plan/failover/records.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import type { FailoverSettings } from '../../../operator/plan/failover/rhythm.ts';
import { labelsOf } from '../../../operator/plan/placement/city.ts';
import { matches } from '../../../operator/plan/placement/label-selector.ts';
import type { SimulatedCity } from './city.ts';
import type { HubView } from './hub.ts';

export class InvariantBroken extends Error {}

/** One look, seen from outside. */
export interface LookCheck {
  readonly seen: HubView;
  readonly outcome: RegionOutcome;
  readonly settings: FailoverSettings;
  readonly cities: ReadonlyMap<string, SimulatedCity>;
  /** When something last kept the city and the hub from hearing each other; undefined when nothing ever did. */
  readonly disturbedAtMs: (city: string) => number | undefined;
  /** The hub has lost its memory once. */
  readonly hasForgotten: boolean;
}

/** Checks one look after another; what a look has found to hold is not checked again while nothing of it has changed. */
export class LookChecks {
  /** What the invariants of the last look were asked about, by service. */
  readonly #asked = new Map<string, { readonly intent: ServiceIntent; readonly after: ServiceRecord }>();
  #cities: readonly unknown[] = [];

  /** @throws InvariantBroken */
  check(check: LookCheck): void {
    const cities = whatIsAskedOfCities(check);
    const isAsBefore = isSameList(this.#cities, cities);
    this.#cities = cities;
    let facts: Facts | undefined;
    for (const { intent, record: before } of check.seen.services) {
      const after = check.outcome.records.get(intent.key) ?? before;
      if (!after) continue;
      const asked = this.#asked.get(intent.key);
      if (isAsBefore && after === before && asked?.intent === intent && asked.after === after) continue;
      this.#asked.set(intent.key, { intent, after });
      facts ??= { ...check, known: knownCities(check.seen), holders: holdersIn(check.cities) };
      const one = { ...facts, intent, before, after };
      for (const invariant of OF_WHAT_STANDS) invariant(one);
      if (after !== before) for (const invariant of OF_WHAT_CHANGES) invariant(one);
    }
    movesBounded(check);
  }
}

/** All that `OF_WHAT_STANDS` looks at beside the service and its record. */
function whatIsAskedOfCities({ seen, settings, cities, hasForgotten }: LookCheck): unknown[] {
  const list: unknown[] = [hasForgotten];
  for (const city of seen.cities) list.push(city.name, city.labels, isHeard(city, seen, settings));
  for (const { name, heldVersion } of cities.values()) list.push(name, heldVersion);
  return list;
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, at) => one === b[at]);
}

interface Facts extends LookCheck {
  /** The cities that the look saw, by name. */
  readonly known: ReadonlyMap<string, CityKnowledge>;
  /** By service: what it is granted in the cities, as they hold it and not as the hub believes. */
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
}

interface ServiceCheck extends Facts {
  readonly intent: ServiceIntent;
  readonly before: ServiceRecord | undefined;
  readonly after: ServiceRecord;
}

export interface Holder {
  readonly city: string;
  readonly ceiling: number;
}

function knownCities({ cities }: HubView): Map<string, CityKnowledge> {
  return new Map(cities.map((city) => [city.name, city]));
}

/** By service: the cities that hold a grant of it. */
export function holdersIn(cities: LookCheck['cities']): Map<string, Holder[]> {
  const holders = new Map<string, Holder[]>();
  for (const [city, { held }] of cities) {
    for (const [key, { grant }] of held) {
      const holder = { city, ceiling: grant.ceiling };
      const others = holders.get(key);
      if (others) others.push(holder);
      else holders.set(key, [holder]);
    }
  }
  return holders;
}

const NOBODY: readonly Holder[] = [];

type Invariant = (check: ServiceCheck) => void;

const isWrittenOff = ({ standing: { phase } }: ShareRecord): boolean =>
  phase === 'Moving' || phase === 'Moved';

/** What the hub believes a city may hold is at least what it does hold, as long as the hub has its memory. */
const nothingUnknown: Invariant = ({ after, holders, intent, hasForgotten }) => {
  for (const { city: name, ceiling } of holders.get(intent.key) ?? NOBODY) {
    const share = after.shares.get(name);
    if (hasForgotten && (!share || share.grant.epoch === 0)) continue;
    if (ceiling > (share?.mayHold ?? 0)) {
      broken(intent.key, `${name} holds ${ceiling}, the hub thinks at most ${share?.mayHold ?? 0}`);
    }
  }
};

/** Nothing is added beyond the limit: that of the maximum, with the surge of a handover where it leaves no headroom. */
const maximumKept: Invariant = ({ before, after, cities, intent }) => {
  const held = (record: ServiceRecord | undefined): number =>
    [...(record?.shares.values() ?? [])]
      .filter((share) => !isWrittenOff(share))
      .reduce((sum, { mayHold }) => sum + mayHold, 0);
  const grew = [...after.shares].some(([city, { grant }]) => {
    const old = before?.shares.get(city)?.grant ?? { ceiling: 0, epoch: 0 };
    const holds = cities.get(city)?.held.get(intent.key)?.grant.ceiling ?? 0;
    return grant.ceiling > Math.max(old.ceiling, holds) && grant.epoch > old.epoch;
  });
  if (grew && held(after) > handoverLimit(intent)) {
    broken(
      intent.key,
      `more was granted although ${held(after)} may be held and ${handoverLimit(intent)} is the limit`,
    );
  }
};

const residencyKept: Invariant = ({ after, cities, intent, known }) => {
  const { residency } = intent.placement;
  if (!residency) return;
  for (const [name, { grant, assigned, standing }] of after.shares) {
    const city = known.get(name);
    if (!city || matches(residency, labelsOf(city))) continue;
    const { epoch = 0, ceiling = 0 } = cities.get(name)?.held.get(intent.key)?.grant ?? {};
    if (grant.epoch > epoch && grant.ceiling > ceiling) {
      broken(intent.key, `${name} is forbidden and was granted more`);
    }
    if (assigned > 0 && !after.isProvisional) {
      broken(intent.key, `${name} is forbidden and ${assigned} are meant for it (${standing.phase})`);
    }
  }
};

/** A ready replica is given up only when as many as wanted are ready without it, or when it may not be there. */
const startedElsewhereFirst: Invariant = ({ before, after, intent, known, seen, settings }) => {
  let lost = 0;
  let left = 0;
  for (const [name, share] of after.shares) {
    const city = known.get(name);
    if (!isHeard(city, seen, settings) || isWrittenOff(share)) continue;
    const { ready = 0, floor = 0 } = city.claims.get(intent.key) ?? {};
    left += Math.min(ready, share.grant.floor);
    const mustGo = share.isYielding || isForbidden(intent, city);
    const isNew = before?.shares.get(name)?.grant.epoch !== share.grant.epoch;
    if (isNew && !mustGo) lost += Math.max(0, Math.min(ready, floor) - share.grant.floor);
  }
  if (lost > 0 && left < intent.replicas) {
    broken(
      intent.key,
      `${lost} ready replicas are given up, and only ${left} of ${intent.replicas} are ready then`,
    );
  }
};

/** A city that was not cut off is never written off; one that another city sees is not either. */
const noFalseAlarm: Invariant = ({ before, after, intent, known, seen, settings, disturbedAtMs }) => {
  for (const [name, { standing }] of after.shares) {
    if (standing.phase !== 'Moving' || before?.shares.get(name)?.standing.phase === 'Moving') continue;
    const disturbed = disturbedAtMs(name);
    const graceMs = intent.placement.failover.graceSeconds * 1000;
    if (disturbed === undefined || seen.nowMs - disturbed > graceMs + settings.confirmMs + HEALED_MS) {
      broken(intent.key, `${name} is written off although nothing has kept it from being heard`);
    }
    const city = known.get(name)!;
    const silentMs = seen.nowMs - Math.max(city.heardAtMs ?? 0, seen.awakeSinceMs);
    if (silentMs < graceMs)
      broken(intent.key, `${name} is written off after ${silentMs} ms, within the grace`);
    for (const observer of seen.cities) {
      const view = observer.views.get(name);
      const isHeard =
        observer.heardAtMs !== undefined && seen.nowMs - observer.heardAtMs < settings.lateAfterMs;
      if (isHeard && view?.sees && seen.nowMs - view.atMs < settings.viewFreshMs) {
        broken(intent.key, `${name} is written off although ${observer.name} sees it`);
      }
    }
  }
};

/** After the cause has gone, a report may still be that long under way or wait for the next heartbeat. */
const HEALED_MS = 30_000;

/** Nothing is written for a city that is silent or written off: what comes back finds nothing new. */
const silentLeftAlone: Invariant = ({ before, after, intent }) => {
  for (const [name, share] of after.shares) {
    const old = before?.shares.get(name);
    if (!old || old.grant.epoch === share.grant.epoch) continue;
    if ((isWrittenOff(share) || isSilent(share)) && share.grant.epoch > old.grant.epoch) {
      broken(intent.key, `${name} is ${share.standing.phase} and was granted something new`);
    }
  }
};

/** What is meant for the cities is never more than wanted, but for what silent cities hold. */
const assignedExactly: Invariant = ({ after, intent, known, seen, settings }) => {
  let pinned = 0;
  let total = 0;
  for (const [city, { assigned }] of after.shares) {
    total += assigned;
    if (!isHeard(known.get(city), seen, settings)) pinned += assigned;
  }
  const isPlaced = !after.isProvisional;
  if (isPlaced && total > Math.max(intent.replicas, pinned)) {
    broken(intent.key, `${total} replicas are meant for cities, ${intent.replicas} are wanted`);
  }
  if (isPlaced && total + after.waiting < intent.replicas) {
    broken(intent.key, `${intent.replicas} are wanted, ${total} have a city and only ${after.waiting} wait`);
  }
};

/** Cities and edits can break them although nothing was decided. */
const OF_WHAT_STANDS: readonly Invariant[] = [nothingUnknown, residencyKept, assignedExactly];

/** About what a look has changed: with the record as it was before each of them holds by its first comparison. */
const OF_WHAT_CHANGES: readonly Invariant[] = [
  maximumKept,
  startedElsewhereFirst,
  noFalseAlarm,
  silentLeftAlone,
];

/**
 * No service begins to move while enough do. One that was written off in its turn and found no room then may start
 * whenever it finds some.
 */
function movesBounded({ seen, outcome, settings }: LookCheck): void {
  const isUnderWay = ({ movingSinceMs }: ServiceRecord): boolean =>
    movingSinceMs !== undefined && seen.nowMs - movingSinceMs < settings.moveTimeoutMs;
  let began = 0;
  let underWay = 0;
  for (const { intent, record } of seen.services) {
    if (record && isUnderWay(record)) underWay++;
    const after = outcome.records.get(intent.key);
    if (after?.movingSinceMs === undefined || record?.movingSinceMs !== undefined) continue;
    const hadItsTurn = [...(record?.shares.values() ?? [])].some(isWrittenOff);
    if (!hadItsTurn) began++;
  }
  if (began > 0 && underWay + began > settings.maxMoves) {
    throw new InvariantBroken(
      `${began} services begin to move beside ${underWay}, ${settings.maxMoves} may at once`,
    );
  }
}

function isHeard(
  city: CityKnowledge | undefined,
  { nowMs, awakeSinceMs }: HubView,
  settings: FailoverSettings,
): city is CityKnowledge {
  const heardAtMs = city?.heardAtMs ?? Number.NEGATIVE_INFINITY;
  return heardAtMs >= awakeSinceMs && nowMs - heardAtMs < settings.lateAfterMs;
}

function isSilent({ standing: { phase } }: ShareRecord): boolean {
  return phase === 'Suspect' || phase === 'Confirming';
}

function isForbidden({ placement: { residency } }: ServiceIntent, city: HubView['cities'][number]): boolean {
  return residency !== undefined && !matches(residency, labelsOf(city));
}

export function broken(service: string, what: string): never {
  throw new InvariantBroken(`${service}: ${what}`);
}
