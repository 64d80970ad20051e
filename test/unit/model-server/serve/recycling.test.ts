import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { HostedModel } from '../../../../model-server/serve/hosted-model.ts';
import { isRecyclingDue, Recycling } from '../../../../model-server/serve/recycling.ts';
import { TestClock } from '../clock.ts';

test.each([
  ['never, when that was asked for', 0, 1000, 999, 100, 100, false],
  ['below the threshold', 750, 1000, 750, 100, 100, false],
  ['above it', 750, 1000, 751, 100, 100, true],
  ['above it, but as much as the models need', 750, 1000, 760, 700, 100, false],
  ['sooner, where a second copy would not fit later', 750, 1000, 640, 100, 300, true],
  ['too late for a second copy', 750, 1000, 660, 100, 300, false],
  ['without a limit only the threshold counts', 750, 0, 5000, 100, 900, true],
])('%s', (_what, recycleBytes, memoryBytes, residentBytes, afterLoadBytes, largestModelBytes, isDue) => {
  const view = { residentBytes, afterLoadBytes, largestModelBytes };
  expect(isRecyclingDue({ recycleBytes, memoryBytes }, view)).toBe(isDue);
});

/** A process with one model that leaks, and whose memory is as after the load when it is loaded afresh. */
function leaking({ failure, draining = false }: { failure?: string; draining?: boolean } = {}) {
  const clock = new TestClock();
  const play = { resident: 400, loads: 0, recycled: 0, draining };
  const recycling = new Recycling({
    limits: { recycleBytes: 750, memoryBytes: 1000 },
    residentBytes: () => play.resident,
    models: [
      {
        name: 'traffic',
        get served() {
          return [{ id: `traffic#${play.loads}`, residentBytes: 100 } as HostedModel];
        },
        async refresh() {
          if (failure !== undefined) return failure;
          play.loads++;
          play.resident = 400;
          return undefined;
        },
      },
    ],
    clock,
    log: pino({ level: 'silent' }),
    isDraining: () => play.draining,
    recycled: () => play.recycled++,
  });
  recycling.start();
  return { clock, play };
}

test('a leak is answered by a fresh load, and again only after a pause', async () => {
  const { clock, play } = leaking();
  await clock.advance(60);
  expect(play.recycled).toBe(0);
  play.resident = 800;
  await clock.advance(10);
  expect(play).toMatchObject({ recycled: 1, resident: 400 });
  await clock.advance(10);
  play.resident = 800;
  await clock.advance(300);
  expect(play.recycled).toBe(1);
  await clock.advance(400);
  expect(play.recycled).toBe(2);
});

test('a new model is where growth is counted from', async () => {
  const { clock, play } = leaking();
  await clock.advance(20);
  play.loads++;
  play.resident = 740;
  await clock.advance(60);
  play.resident = 760;
  await clock.advance(60);
  expect(play.recycled).toBe(0);
  play.resident = 830;
  await clock.advance(10);
  expect(play.recycled).toBe(1);
});

test('what fails is not counted, and what drains loads nothing', async () => {
  for (const { clock, play } of [leaking({ failure: 'no such bucket' }), leaking({ draining: true })]) {
    await clock.advance(20);
    play.resident = 800;
    await clock.advance(60);
    expect(play).toMatchObject({ recycled: 0, loads: 0 });
  }
});
