import { jest } from '@jest/globals';
import type { City } from '../region/city.ts';
import { sharedCity } from '../region/shared-city.ts';

jest.setTimeout(300_000);

/** The control plane that all API tests share: a real API server, etcd and controllers, no nodes. */
export async function cluster(): Promise<City> {
  return await sharedCity('api');
}

/**
 * For after a test that killed or stopped the API server: the controllers, which had lost it, connect again by
 * themselves only after up to half a minute, and the tests of the next file wait for them.
 */
export async function restartControllers(city: City): Promise<void> {
  await city.faults.signal('kube-controller-manager', 'SIGKILL');
  const namespace = await city.freshNamespace('controllers');
  await city.until('the controllers work', 60, async () => {
    return (await city.kubectl(['get', 'serviceaccounts', '-n', namespace, '-o', 'name'])).includes(
      'default',
    );
  });
}
