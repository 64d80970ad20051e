import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { busyShareOfThread } from '../../../../model-server/engine/thread-load.ts';

function work(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

test('follows what the thread does', async () => {
  busyShareOfThread();
  for (let turn = 0; turn < 4; turn++) {
    work(60);
    await sleep(0);
  }
  const busy = busyShareOfThread();
  await sleep(500);
  expect(busyShareOfThread()).toBeLessThan(busy);
  expect(busy).toBeGreaterThan(0.2);
});
