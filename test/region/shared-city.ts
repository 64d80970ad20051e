import { City, removeContainer } from './city.ts';
import { type CityOptions, startCity } from './start-city.ts';

/** The kinds of tests that share one city among all of their files. */
export type SharedBy = 'api' | 'hub' | 'e2e';

/**
 * Starts the city that all tests of one kind share; its container's name travels in the environment. When it
 * does not start, every test that asks for it fails with the reason, and tests of other kinds still run.
 */
export async function shareCity(sharedBy: SharedBy, options: CityOptions): Promise<void> {
  try {
    const city = await startCity(options);
    process.env[variable(sharedBy)] = city.container;
    process.env[builtHereVariable] = String(city.builtHere);
  } catch (error) {
    process.env[failureVariable(sharedBy)] = (error as Error).message;
  }
}

/** The city that all tests of one kind share. */
export async function sharedCity(sharedBy: SharedBy): Promise<City> {
  const container = process.env[variable(sharedBy)];
  if (container) return await City.of(container);
  throw new Error(
    `No city was started for the ${sharedBy} tests; run them by jest with this project's configuration.`,
  );
}

/** Stops it. */
export async function endSharedCity(sharedBy: SharedBy): Promise<void> {
  const container = process.env[variable(sharedBy)];
  if (container) await removeContainer(container);
}

/**
 * Whether cities run the image that is built here. Faults that need it cannot be tested on the stock image;
 * such tests are then skipped.
 */
export function citiesAreBuiltHere(): boolean {
  return process.env[builtHereVariable] !== 'false';
}

const builtHereVariable = 'AICITY_SHARED_CITY_BUILT_HERE';

function variable(sharedBy: SharedBy): string {
  return `AICITY_SHARED_CITY_${sharedBy.toUpperCase()}`;
}

function failureVariable(sharedBy: SharedBy): string {
  return `${variable(sharedBy)}_FAILURE`;
}
