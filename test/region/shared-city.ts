import { City } from './city.ts';

/** The kinds of tests that share one city among all of their files. */
export const sharing = ['api', 'hub', 'e2e'] as const;
export type SharedBy = (typeof sharing)[number];

/** What travels in the environment from the process that starts the city to those of the tests. */
export type SharedCity =
  | { readonly container: string; readonly builtHere: boolean }
  | { readonly failure: string };

/** The city that all tests of one kind share. */
export async function sharedCity(sharedBy: SharedBy): Promise<City> {
  const told = toldOf(sharedBy);
  if (told && 'container' in told) return await City.of(told.container);
  const why = told?.failure ?? "run them by jest with this project's configuration";
  throw new Error(`No city was started for the ${sharedBy} tests: ${why}`);
}

/**
 * Whether cities run the image that is built here. Faults that need it cannot be tested on the stock image;
 * such tests are then skipped.
 */
export function citiesAreBuiltHere(): boolean {
  return !sharing.map(toldOf).some((told) => told && 'container' in told && !told.builtHere);
}

export function tell(sharedBy: SharedBy, city: SharedCity): void {
  process.env[variable(sharedBy)] = JSON.stringify(city);
}

export function toldOf(sharedBy: SharedBy): SharedCity | undefined {
  const text = process.env[variable(sharedBy)];
  return text === undefined ? undefined : (JSON.parse(text) as SharedCity);
}

function variable(sharedBy: SharedBy): string {
  return `AICITY_SHARED_CITY_${sharedBy.toUpperCase()}`;
}
