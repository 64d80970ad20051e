import { jest } from '@jest/globals';
import type { City } from '../region/city.ts';
import { sharedCity } from '../region/shared-city.ts';

jest.setTimeout(300_000);

/** The control plane that all tests of hubs and their cities share: as that of the API tests, and apart from it. */
export async function cluster(): Promise<City> {
  return await sharedCity('hub');
}
