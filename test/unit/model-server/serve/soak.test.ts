/** The soak of `npm run soak`, shortened: swaps at full load lose nothing. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { growthOf } from '../../../soak/growth.ts';
import { soak } from '../../../soak/soak.ts';
import { killServers, prepareTensorflow } from './server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
jest.setTimeout(240_000);
beforeAll(prepareTensorflow, BUILD_MILLISECONDS);
afterAll(killServers);

test('new versions at full load: every request is answered by a version that is served', async () => {
  // Two new versions, the second one well before those that would come too late to be taken.
  const figures = await soak({ seconds: 40, swapSeconds: 7, clients: 16 });
  expect(figures.failed).toEqual([]);
  expect(figures.answered).toBeGreaterThan(100);
  expect(figures.swaps).toBeGreaterThanOrEqual(2);
  expect(figures.versionsSeen).toBeGreaterThanOrEqual(2);
});

test('models that are loaded afresh because memory grew: every request is answered', async () => {
  // The server looks every ten seconds: at rest first, then with the memory that requests take.
  const load = { quietSeconds: 15, seconds: 30, swapSeconds: 3600, clients: 4 };
  const figures = await soak({ ...load, environment: { MODEL_SERVER_RECYCLE_BYTES: '1' } });
  expect(figures.failed).toEqual([]);
  expect(figures.recycled).toBe(1);
});

test.each([
  ['flat', [900, 400, 500, 500, 450, 500, 500, 500], true],
  ['rising', [100, 100, 100, 100, 200, 200, 300, 300], false],
  ['a swap in the last sample', [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 500], true],
])('memory that is %s', (_what, mebibytes, isFlat) => {
  expect(growthOf(mebibytes.map((value) => value * 2 ** 20)).isFlat).toBe(isFlat);
});
