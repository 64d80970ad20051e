/** The models that stand in models/, each trained on what was known on one day. */
import { type Hour, hourOf, type Observation } from './dataset.ts';
import { countsOf, type Features, featuresOf, HISTORY_DAYS, sameHourLastWeek } from './features.ts';
import { type Score, scoreOf } from './score.ts';

export interface Release {
  readonly version: number;
  /** Only hours before this one were seen in training. */
  readonly trainedBefore: Hour;
  readonly hiddenUnits: readonly [number, number];
  readonly epochs: number;
}

/** The month that no release has seen: the last of the series. */
export const HELD_OUT = { from: hourOf('2012-12-01T00:00'), until: hourOf('2013-01-01T00:00') } as const;

/**
 * Sizes and epochs were chosen by the error on November 2012 of networks that had not seen November. Version 2 sees
 * five more months than version 1 and is larger; both take the same inputs, so one can replace the other in service.
 */
export const RELEASES: readonly Release[] = [
  { version: 1, trainedBefore: hourOf('2012-07-01T00:00'), hiddenUnits: [32, 16], epochs: 15 },
  { version: 2, trainedBefore: HELD_OUT.from, hiddenUnits: [96, 48], epochs: 25 },
];

/** One hour to forecast: what is known beforehand, what was counted, and what the naive forecast says. */
export interface Case {
  readonly hour: Hour;
  readonly features: Features;
  readonly users: number;
  readonly naive: number;
}

/** All hours with enough history before them, in order. */
export function casesOf(observations: readonly Observation[]): Case[] {
  const counts = countsOf(observations);
  const first = (observations[0]?.hour ?? 0) + HISTORY_DAYS * 24;
  return observations
    .filter(({ hour }) => hour >= first)
    .map((observation) => ({
      hour: observation.hour,
      features: featuresOf(observation, counts),
      users: observation.users,
      naive: sameHourLastWeek(observation.hour, counts),
    }));
}

export const heldOut = (cases: readonly Case[]): Case[] =>
  cases.filter(({ hour }) => hour >= HELD_OUT.from && hour < HELD_OUT.until);

/** The score of "same hour last week". */
export function naiveScore(cases: readonly Case[]): Score {
  return scoreOf(
    cases.map(({ naive }) => naive),
    cases.map(({ users }) => users),
  );
}

/** The score of a model's forecasts for the cases, in their order. */
export function modelScore(cases: readonly Case[], forecasts: readonly number[]): Score {
  return scoreOf(
    forecasts,
    cases.map(({ users }) => users),
  );
}
