import type { City } from '../region/city.ts';

/**
 * For after a test that killed or stopped the API server: the controllers, which had lost it, connect again by
 * themselves only after up to half a minute, and the tests of the next file wait for them.
 */
export async function restartControllers(city: City): Promise<void> {
  await city.faults.signal('kube-controller-manager', 'SIGKILL');
  await untilFurnished(city, await city.freshNamespace('controllers'));
}

/** A new namespace gets its default account and its root certificate from the controllers, a moment later. */
export async function untilFurnished(city: City, namespace: string): Promise<void> {
  await city.until(`the controllers have furnished ${namespace}`, 120, async () => {
    const furniture = ['serviceaccount/default', 'configmap/kube-root-ca.crt'];
    return (await city.kubectl(['get', ...furniture, '-n', namespace, '-o', 'name'])) !== '';
  });
}

/** The API server serves a definition, and tells kubectl of it, a moment after it is established. */
export async function untilKnown(city: City, plural: string): Promise<void> {
  await city.until(`${plural} are known`, 60, async () => {
    await city.kubectl(['get', plural]);
    return true;
  });
}
