import { shareCity } from '../region/shared-city.ts';

/** Before all tests of hubs and their cities: a control plane alone, no nodes. */
export default async () => await shareCity('hub', { name: 'hub', light: true });
