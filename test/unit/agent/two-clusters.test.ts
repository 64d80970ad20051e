import { afterEach, expect, test } from '@jest/globals';
import { FakeClock } from '../runtime/fake-clock.ts';
import { endAll, HEARTBEAT_SECONDS, HubObjects, speaker } from './hub-objects.ts';

afterEach(endAll);

test('the second says that it would have the name, while the first goes on', async () => {
  const [hub, clock] = [new HubObjects(), new FakeClock()];
  const first = speaker('uid-1', hub, clock);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  expect(hub.contender).toBeUndefined();
  const second = speaker('uid-2', hub, clock);
  const contenders = new Set<string | undefined>();
  for (let step = 0; step < 40 * HEARTBEAT_SECONDS; step++) {
    await clock.advance(0.25);
    contenders.add(hub.contender);
    expect([hub.holder, first.connection]).toEqual(['uid-1', 'Connected']);
  }
  expect(second.connection).toBe('Displaced');
  // Ten heartbeats: it has said so in most of them, and not more often than once in each.
  contenders.delete(undefined);
  expect(contenders.size).toBeGreaterThanOrEqual(6);
  expect(contenders.size).toBeLessThanOrEqual(11);
  expect([...contenders].every((text) => text?.startsWith('uid-2 '))).toBe(true);
  second.end();
  await clock.advance(2 * HEARTBEAT_SECONDS);
  expect(hub.contender).toBeUndefined();
});

test('the second looks as often as the hub has told the first to speak, and takes over when it is gone', async () => {
  const [hub, clock] = [new HubObjects(), new FakeClock()];
  const first = speaker('uid-1', hub, clock);
  await clock.advance(3 * HEARTBEAT_SECONDS);
  const second = speaker('uid-2', hub, clock);
  await clock.advance(10 * HEARTBEAT_SECONDS);
  expect(second.looks).toBeGreaterThanOrEqual(10);
  first.end();
  // Silent for three heartbeats, and half a one to the next look.
  await clock.advance(4 * HEARTBEAT_SECONDS);
  expect([hub.holder, second.connection, hub.contender]).toEqual(['uid-2', 'Connected', undefined]);
});
