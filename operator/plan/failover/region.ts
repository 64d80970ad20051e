/**
 * One look of the hub at the whole region: how each city stands, where the replicas should be, what is granted now.
 * Pure: it takes what is known and gives what is to be remembered. What it gives must be stored before anything of it
 * is sent; whatever was not stored is decided again at the next look.
 */
import { Ledger } from '../placement/ledger.ts';
import { entriesOf } from './adopt.ts';
import { capShares } from './capping.ts';
import { grantShares } from './granting.ts';
import type { Entry, Look, RegionInput } from './look.ts';
import { placeShares } from './placing.ts';
import { mayRun, type ServiceRecord } from './records.ts';
import { unrestOf } from './rest.ts';
import { type CitySight, isListening, sightsOf } from './sights.ts';
import { byPriority, standShares } from './standings.ts';
import type { Steadiness } from './steadiness.ts';

export interface RegionOutcome {
  /** Of the services whose record has changed. */
  readonly records: ReadonlyMap<string, ServiceRecord>;
  /** Of every city. */
  readonly steadiness: ReadonlyMap<string, Steadiness>;
  /** Services on the move. */
  readonly moving: ReadonlySet<string>;
  /** Something was on its way or is waited for: the next look must not wait for a change. */
  readonly isRestless: boolean;
  /** When the next look is due at the latest, though nothing changes; Infinity for never. */
  readonly dueAtMs: number;
  /** What was made of each city, for the sentences of the status. */
  readonly sights: ReadonlyMap<string, CitySight>;
}

export function lookAtRegion(input: RegionInput): RegionOutcome {
  const { nowMs, awakeSinceMs, settings, cities, services } = input;
  const look: Look = {
    ...input,
    sights: sightsOf(cities, nowMs, awakeSinceMs, settings),
    isListening: isListening(cities, nowMs, awakeSinceMs, settings.listenMs),
  };
  const entries = entriesOf(services, look);
  const { entries: restless, ...unrest } = unrestOf(entries.values(), look);
  const moving = standShares(restless, look);
  if (restless.length > 0) {
    if (!isPlaced(restless, look)) placeShares(entries, restless, look);
    const concerned = new Set(restless);
    // Whoever has to make room for them is concerned as well.
    for (const entry of entries.values()) if (entry.record !== entry.service.record) concerned.add(entry);
    grantAll(entries, concerned, look, moving);
  }
  const records = [...entries.values()].filter(({ service, record }) => record !== service.record);
  return {
    records: new Map(records.map(({ record }) => [record.key, record])),
    steadiness: new Map([...look.sights].map(([city, { steadiness }]) => [city, steadiness])),
    moving,
    isRestless: unrest.isUnderWay || (unrest.hasWaiting && records.length > 0),
    dueAtMs: unrest.dueAtMs,
    sights: look.sights,
  };
}

/** Whether placing would come to what stands: time alone brings on standings and ends the blame of a city, no more. */
function isPlaced(restless: readonly Entry[], { isQuiet = false }: Look): boolean {
  return (
    isQuiet && restless.every(({ service, record }) => record === service.record && record.unfit.size === 0)
  );
}

/** The highest priority takes what room there is first. */
function grantAll(
  entries: ReadonlyMap<string, Entry>,
  concerned: ReadonlySet<Entry>,
  look: Look,
  moving: Set<string>,
): void {
  const caps = capShares(entries, look, (entry) => concerned.has(entry));
  const granted = [...entries.values()].filter((entry) => {
    return !entry.record.isProvisional && (concerned.has(entry) || caps.has(entry.record.key));
  });
  const actual = actualUse(entries, granted, look);
  for (const entry of granted.sort(byPriority)) {
    grantShares(entry, look, actual, caps.get(entry.record.key), moving);
  }
}

/** What every service has, or may have, now, in the cities of those that are to be granted something. */
function actualUse(
  entries: ReadonlyMap<string, Entry>,
  granted: readonly Entry[],
  { cities, sights }: Look,
): Ledger {
  const places = new Set(granted.flatMap(({ record }) => [...record.shares.keys()]));
  const ledger = new Ledger(cities.filter(({ name }) => places.has(name)));
  for (const { service, record } of entries.values()) {
    for (const [city, share] of record.shares) {
      if (!places.has(city)) continue;
      ledger.add(city, service.intent, mayRun(share, sights.get(city)?.city.claims.get(record.key)));
    }
  }
  return ledger;
}
