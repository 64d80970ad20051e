/** What can be seen of a region at one moment, and whether it is as a scenario expects. */
import type { ServiceExpectation, Step } from './scenario.ts';

export interface ServicePicture {
  /** By city, as far as the hub hears it: ready replicas. Cities without any are left out. */
  readonly ready: Readonly<Record<string, number>>;
  /** By city, in truth and not by the hub's word: pods. Undefined for a city that cannot be looked at. */
  readonly runs: Readonly<Record<string, number | undefined>>;
  readonly waiting: number;
  readonly why?: string;
  /** By city: the reason of its entry in `status.decisions[]`. */
  readonly decisions: Readonly<Record<string, string>>;
  /** Cities to which clients are sent. */
  readonly endpoints: readonly string[];
}

export interface Picture {
  /** A service that is gone from the hub is here as long as a city holds something of it. */
  readonly services: Readonly<Record<string, ServicePicture>>;
  /** By city: the reason of its Ready condition. */
  readonly cities: Readonly<Record<string, string>>;
}

type Expected = Pick<Extract<Step, { verb: 'expect' }>['value'], 'services' | 'cities'>;

/** @returns what is not as expected, in words; empty when all is */
export function differences(picture: Picture, { services = {}, cities = {} }: Expected): string[] {
  return [
    ...Object.entries(services).flatMap(([name, expected]) => {
      return serviceDifferences(picture.services[name] ?? NOTHING, expected).map((one) => `${name} ${one}`);
    }),
    ...Object.entries(cities).flatMap(([city, reason]) => {
      const found = picture.cities[city] ?? 'not told';
      return found === reason ? [] : [`${city} is ${found}, not ${reason}`];
    }),
  ];
}

const NOTHING: ServicePicture = { ready: {}, runs: {}, waiting: 0, decisions: {}, endpoints: [] };

function serviceDifferences(found: ServicePicture, expected: ServiceExpectation): string[] {
  const told: string[] = [];
  const differ = (what: string, is: unknown, wanted: unknown): void => {
    if (said(is) !== said(wanted)) told.push(`${what} ${said(is)}, not ${said(wanted)}`);
  };
  const { ready, runs, waiting, why, decisions, endpoints, gone } = expected;
  if (typeof ready === 'number' && sum(found.ready) < ready) differ('has ready', sum(found.ready), ready);
  if (typeof ready === 'object') differ('has ready', without0(found.ready), without0(ready));
  for (const [city, pods] of Object.entries(runs ?? {}))
    differ(`runs in ${city}`, found.runs[city] ?? 'unknown', pods);
  if (waiting !== undefined) differ('has waiting', found.waiting, waiting);
  if (why !== undefined) differ('waits for reason', found.why ?? 'none', why);
  for (const [city, reason] of Object.entries(decisions ?? {}))
    differ(`is in ${city}`, found.decisions[city] ?? 'without a decision', reason);
  if (endpoints) differ('sends clients to', [...found.endpoints].sort(), [...endpoints].sort());
  if (gone) differ('still runs', sum(found.runs), 0);
  return told;
}

/** The whole picture in one line, for people who ask how it came to what was not expected. */
export function described({ services, cities }: Picture): string {
  const told = Object.entries(services).map(([name, { ready, runs, waiting, decisions, endpoints }]) => {
    const known = { ready, runs, decisions, endpoints, ...(waiting > 0 ? { waiting } : {}) };
    return `${name}: ${Object.entries(known)
      .map(([what, is]) => `${what} ${said(is)}`)
      .join('; ')}`;
  });
  return [...told, `cities: ${said(cities)}`].join(' | ');
}

/** Pods of the service in all cities that can be looked at. */
export function podsOf({ runs }: Pick<ServicePicture, 'runs'>): number {
  return sum(runs);
}

function sum(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce((total: number, one) => total + (one ?? 0), 0);
}

function without0(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, one]) => one > 0));
}

function said(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'nobody' : value.join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? 'none' : entries.map(([name, one]) => `${name} ${one}`).join(', ');
}
