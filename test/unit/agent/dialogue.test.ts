import { afterEach, expect, test } from '@jest/globals';
import type { ReportContent } from '../../../operator/plan/agent/report.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { endAll, HEARTBEAT_SECONDS, HubObjects, speaker } from './hub-objects.ts';

afterEach(endAll);

const claim = { epoch: 1, floor: 3, ceiling: 3, running: 3, needed: 3 };

/** A city whose one service has so many replicas ready, and that has told of the first state. */
async function city() {
  const [hub, clock] = [new HubObjects(), new FakeClock()];
  const state = { ready: 0 };
  const content = (): ReportContent => ({ claims: { 'a/b': { ...claim, ready: state.ready } } });
  const { soon } = speaker('uid-1', hub, clock, content);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  const before = hub.reports;
  const turn = (ready: number) => {
    state.ready = ready;
    soon();
  };
  return { clock, turn, reports: () => hub.reports - before };
}

test('what happens is told of at once, and what happens with it in the same report', async () => {
  const { clock, turn, reports } = await city();
  turn(1);
  await clock.advance(0.05);
  turn(2);
  expect(reports()).toBe(0);
  await clock.advance(0.05);
  expect(reports()).toBe(1);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  expect(reports()).toBe(1);
});

test('replicas that become ready one after the other are each told of within a quarter of a second', async () => {
  const { clock, turn, reports } = await city();
  for (const ready of [1, 2, 3]) {
    turn(ready);
    await clock.advance(0.25);
    expect(reports()).toBe(ready);
  }
});

test('a city in which something happens all the time is no louder than twice a second', async () => {
  const { clock, turn, reports } = await city();
  for (let step = 0; step < 600; step++) {
    turn(step);
    await clock.advance(0.05);
  }
  // Half a minute, and what was saved up before it.
  expect(reports()).toBeGreaterThanOrEqual(55);
  expect(reports()).toBeLessThanOrEqual(66);
});

test('what ends in a burst is told of all the same', async () => {
  const { clock, turn, reports } = await city();
  for (let ready = 1; ready <= 20; ready++) {
    turn(ready);
    await clock.advance(0.1);
  }
  const during = reports();
  await clock.advance(3);
  expect(reports()).toBe(during + 1);
});
