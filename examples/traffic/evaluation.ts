/** The held-out month through a running service: one request per day, as a city would send it at midnight. */
import { readObservations } from './dataset.ts';
import { type Endpoint, requestForecasts } from './protocols.ts';
import { type Case, casesOf, heldOut, modelScore, naiveScore } from './releases.ts';
import type { Score } from './score.ts';

export interface Evaluation {
  readonly model: Score;
  readonly naive: Score;
  readonly cases: readonly Case[];
  readonly forecasts: readonly number[];
}

export async function evaluateHeldOutMonth(endpoint: Endpoint): Promise<Evaluation> {
  const cases = heldOut(casesOf(readObservations()));
  const forecasts: number[] = [];
  for (const day of daysOf(cases)) {
    forecasts.push(
      ...(await requestForecasts(
        endpoint,
        day.map(({ features }) => features),
      )),
    );
  }
  return { model: modelScore(cases, forecasts), naive: naiveScore(cases), cases, forecasts };
}

export function daysOf(cases: readonly Case[]): Case[][] {
  return [...Map.groupBy(cases, ({ hour }) => Math.floor(hour / 24)).values()];
}
