import { endSharedCity } from '../region/shared-city.ts';

/** After all end-to-end tests, passed or failed. */
export default async () => await endSharedCity('e2e');
