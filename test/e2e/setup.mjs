import { ensureEngine } from '../region/engine.ts';
import { nodeImage } from '../region/node-image.ts';
import { shareCity } from '../region/shared-city.ts';

/** Before all end-to-end tests: a whole city with GPUs. */
export default async () => {
  await ensureEngine();
  await shareCity('e2e', { name: 'porto', gpus: 8, images: [await nodeImage()], wan: 'aicity-wan' });
};
