import { jest } from '@jest/globals';
import type { City } from '../region/city.ts';
import { sharedCity } from '../region/shared-city.ts';

jest.setTimeout(300_000);

/** The control plane that all API tests share: a real API server, etcd and controllers, no nodes. */
export async function cluster(): Promise<City> {
  return await sharedCity('api');
}
