import { ensureEngine } from '../region/engine.ts';
import { installationImages } from '../region/installation.ts';
import { nodeImage } from '../region/node-image.ts';
import { shareCity } from '../region/shared-city.ts';

/** Before all end-to-end tests: a whole city with GPUs, and the images that all of them install. */
export default async () => {
  await ensureEngine();
  process.env.AICITY_E2E_IMAGES = JSON.stringify(await installationImages());
  await shareCity('e2e', { name: 'porto', gpus: 8, images: [await nodeImage()], wan: 'aicity-wan' });
};
