import { jest } from '@jest/globals';
import type { City } from '../region/city.ts';
import { sharedCity } from '../region/shared-city.ts';

// Only a test that hangs is to be ended: what it waits for has limits of its own, which name it.
jest.setTimeout(600_000);

/** The city that all end-to-end tests share: one node with 8 GPUs, and the product installed by its chart. */
export async function city(): Promise<City> {
  return await sharedCity('e2e');
}
