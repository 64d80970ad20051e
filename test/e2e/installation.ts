import type { City } from '../region/city.ts';
import { type Images, installationImages, installOperator, openModelStore } from '../region/installation.ts';
import { city as sharedCity } from './city.ts';

/** The city that all end-to-end tests share, with the product in it. */
export interface Installation {
  readonly city: City;
  readonly images: Images;
}

/**
 * The operator of these sources and the example model store, installed into the shared city. The first test file that
 * asks pays for it; for the others a second call finds all in place.
 */
export async function installation(): Promise<Installation> {
  const [city, images] = await Promise.all([sharedCity(), imagesOfThisRun()]);
  await city.loadImages(Object.values(images));
  // Another release of the chart may have been here, and its CRD outlives it.
  const flags = ['--take-ownership', '--force-conflicts'];
  await Promise.all([installOperator(city, images, flags), openModelStore(city, images)]);
  return { city, images };
}

/** Built once before the first test file, so that all files test the same sources. */
async function imagesOfThisRun(): Promise<Images> {
  const built = process.env['AICITY_E2E_IMAGES'];
  return built ? (JSON.parse(built) as Images) : await installationImages();
}
