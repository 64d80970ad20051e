/** What the hub makes of each city at one moment. */
import type { City } from '../placement/city.ts';
import type { CityKnowledge } from './records.ts';
import type { FailoverSettings } from './rhythm.ts';
import type { Vantage } from './standing.ts';
import { notice, recentLosses, type Steadiness } from './steadiness.ts';
import { vantageOn } from './vantage.ts';

export interface CitySight {
  readonly city: CityKnowledge;
  readonly silentMs: number;
  readonly isLate: boolean;
  /** Late, or not heard of since the hub is awake: nothing is known of now, and nothing is changed. */
  readonly isSilent: boolean;
  readonly steadiness: Steadiness;
  /** Lost once of late, not again and again: what it held may be given back to it. */
  readonly isTrusted: boolean;
  /** Computed when asked for: most cities are heard. */
  readonly vantage: () => Vantage;
}

export function sightsOf(
  cities: readonly CityKnowledge[],
  nowMs: number,
  awakeSinceMs: number,
  settings: FailoverSettings,
): Map<string, CitySight> {
  const observers = cities.map((city) => {
    const silentMs = silenceOf(city, nowMs, awakeSinceMs);
    return { ...city, silentMs, isLate: silentMs >= settings.lateAfterMs };
  });
  return new Map(
    observers.map(({ silentMs, isLate, ...city }) => {
      // One that has never reported has not been lost: it has not joined yet.
      const hasJoined = city.session !== undefined;
      // A hub that has just woken up has not heard that a lost city is back.
      const isAbsent = isLate || (city.steadiness.isAbsent && !isHeardSince(city, awakeSinceMs));
      const steadiness = hasJoined ? notice(city.steadiness, isAbsent, nowMs, settings) : city.steadiness;
      const vantage = once(() => vantageOn(city.name, observers, nowMs, settings.viewFreshMs));
      const isTrusted = recentLosses(steadiness, nowMs, settings) <= 1;
      const isSilent = isLate || !hasSpoken(city, awakeSinceMs);
      return [city.name, { city, silentMs, isLate, isSilent, steadiness, isTrusted, vantage }];
    }),
  );
}

/**
 * Since when the hub has been looking without a pause. A hub that was stopped (a paused machine, a starved process) finds
 * everybody silent when it goes on, and must not take its own absence for theirs.
 */
export function awakeSince(
  before: number | undefined,
  lastLookMs: number,
  nowMs: number,
  pauseMs: number,
): number {
  return before === undefined || nowMs - lastLookMs > pauseMs ? nowMs : before;
}

/** Whether the hub has just woken up and somebody may still be about to speak. */
export function isListening(
  cities: readonly CityKnowledge[],
  nowMs: number,
  awakeSinceMs: number,
  listenMs: number,
): boolean {
  return nowMs - awakeSinceMs < listenMs && cities.some((city) => !hasSpoken(city, awakeSinceMs));
}

/** The city as placement sees it. */
export function placeable({ city, isSilent, steadiness }: CitySight): City {
  return { ...city, condition: isSilent ? 'Silent' : steadiness.isSettling ? 'Settling' : 'Steady' };
}

/** Whether the city has reported since the hub is awake. */
export function hasSpoken({ reportedAtMs }: CityKnowledge, awakeSinceMs: number): boolean {
  return reportedAtMs !== undefined && reportedAtMs >= awakeSinceMs;
}

function isHeardSince({ heardAtMs }: CityKnowledge, awakeSinceMs: number): boolean {
  return heardAtMs !== undefined && heardAtMs >= awakeSinceMs;
}

function silenceOf({ heardAtMs }: CityKnowledge, nowMs: number, awakeSinceMs: number): number {
  return nowMs - Math.max(heardAtMs ?? awakeSinceMs, awakeSinceMs);
}

function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}
