import { expect, test } from '@jest/globals';
import type { Gpu } from '../../../../model-server/engine/gpus.ts';
import { GpuWatch } from '../../../../model-server/serve/gpu-watch.ts';
import { settled, TestClock } from '../clock.ts';

const gpu = (utilization: number): Gpu => ({
  ...{ uuid: 'GPU-1', name: 'Large', memoryBytes: 100, memoryUsedBytes: 10, utilization },
});

/** Starts a watch on a driver that says one thing after the other, the last one for ever. */
async function watched(...said: (readonly Gpu[])[]) {
  const clock = new TestClock();
  let readings = 0;
  const watch = new GpuWatch(async () => said[Math.min(readings++, said.length - 1)] ?? [], clock);
  expect(watch.gpus).toEqual([]);
  void watch.start();
  await settled();
  return { watch, clock, readings: () => readings };
}

test('GPUs are read every two seconds', async () => {
  const { watch, clock, readings } = await watched([gpu(0.1)], [gpu(0.2)], [gpu(0.3)]);
  expect(watch.gpus).toEqual([gpu(0.1)]);
  await clock.advance(2);
  expect(watch.gpus).toEqual([gpu(0.2)]);
  await clock.advance(20);
  expect(watch.gpus).toEqual([gpu(0.3)]);
  expect(readings()).toBe(12);
});

test('what was read stands while the driver says nothing', async () => {
  const { watch, clock } = await watched([gpu(0.1)], [], [gpu(0.3)]);
  await clock.advance(2);
  expect(watch.gpus).toEqual([gpu(0.1)]);
  await clock.advance(2);
  expect(watch.gpus).toEqual([gpu(0.3)]);
});

test('where there are none, nobody asks again', async () => {
  const { watch, clock, readings } = await watched([]);
  await clock.advance(60);
  expect(watch.gpus).toEqual([]);
  expect({ readings: readings(), timers: clock.timers }).toEqual({ readings: 1, timers: 0 });
});
