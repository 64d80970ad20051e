import { type City, removeContainer } from './city.ts';
import { installationImages, installOperator, openModelStore } from './installation.ts';
import { nodeImage } from './node-image.ts';
import { type SharedBy, tell, toldOf } from './shared-city.ts';
import { startCity } from './start-city.ts';

const starts: Readonly<Record<SharedBy, () => Promise<City>>> = {
  /** A control plane alone, no nodes. */
  api: () => startCity({ name: 'api', light: true }),
  /** The same for tests of hubs and their cities. */
  hub: () => startCity({ name: 'hub', light: true }),
  /** A node with 8 GPUs, the operator of these sources and the example model store. */
  e2e: async () => {
    const images = await installationImages();
    const inCity = [await nodeImage(), ...Object.values(images)];
    const city = await startCity({ name: 'porto', gpus: 8, images: inCity });
    try {
      await Promise.all([installOperator(city, images), openModelStore(city, images)]);
      return city;
    } catch (error) {
      await city.stop();
      throw error;
    }
  },
};

/**
 * Starts the city that all tests of one kind share. When it does not start, every test that asks for it fails with the
 * reason, and tests of other kinds still run.
 */
export async function startSharedCity(sharedBy: SharedBy): Promise<void> {
  try {
    const { container, builtHere } = await starts[sharedBy]();
    tell(sharedBy, { container, builtHere });
  } catch (error) {
    tell(sharedBy, { failure: (error as Error).message });
  }
}

/** Stops it. */
export async function endSharedCity(sharedBy: SharedBy): Promise<void> {
  const told = toldOf(sharedBy);
  if (told && 'container' in told) await removeContainer(told.container);
}
