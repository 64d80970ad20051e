import { shareCity } from '../region/shared-city.ts';

/** Before all API tests: a control plane alone, no nodes. */
export default async () => await shareCity('api', { name: 'api', light: true });
