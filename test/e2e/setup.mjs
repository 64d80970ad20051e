import { shareCity } from '../region/shared-city.ts';

/** Before all end-to-end tests: a whole city with GPUs. */
export default async () => await shareCity('e2e', { name: 'porto', gpus: 8, wan: 'aicity-wan' });
