import { endSharedCity } from '../region/shared-city.ts';

/** After all tests of hubs and their cities, passed or failed. */
export default async () => await endSharedCity('hub');
