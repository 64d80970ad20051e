import { endSharedCity } from '../region/shared-city.ts';

/** After all API tests, passed or failed. */
export default async () => await endSharedCity('api');
