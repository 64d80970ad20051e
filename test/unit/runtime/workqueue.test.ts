import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Key } from '../../../operator/runtime/key.ts';
import { WorkQueue } from '../../../operator/runtime/workqueue.ts';
import { FakeClock } from './fake-clock.ts';

const key = (name: string): Key => ({ cluster: '', namespace: 'city', name });
const a = key('a');
const b = key('b');

function queueOf(clock = new FakeClock(), random = () => 1) {
  return { clock, queue: new WorkQueue({ clock, random, backoff: { baseSeconds: 1, maxSeconds: 8 } }) };
}

describe('taking', () => {
  test('keys come in the order in which they were added, each once', async () => {
    const { queue } = queueOf();
    for (const one of [a, b, a, { ...a }]) queue.add(one);
    expect(queue.depth).toBe(2);
    expect(await queue.take()).toEqual(a);
    expect(await queue.take()).toEqual(b);
    expect(queue.depth).toBe(0);
  });

  test('a key that is added while it is processed comes again afterwards, and only once', async () => {
    const { queue } = queueOf();
    queue.add(a);
    const taken = await queue.take();
    queue.add(a);
    queue.add(a);
    const next = queue.take();
    queue.add(b);
    expect(await next).toEqual(b); // a is not handed to a second worker
    queue.finish(taken!);
    expect(await queue.take()).toEqual(a);
    expect(queue.depth).toBe(0);
  });

  test('a taker waits until there is something', async () => {
    const { queue } = queueOf();
    const first = queue.take();
    const second = queue.take();
    queue.add(a);
    queue.add(b);
    expect(await Promise.all([first, second])).toEqual([a, b]);
  });

  test('closing sends all takers home, now and later, and stops all timers', async () => {
    const { queue, clock } = queueOf();
    const waiting = queue.take();
    queue.addAfter(b, 5);
    queue.close();
    queue.add(a);
    queue.addAfter(a, 1);
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
});

describe('later', () => {
  test('of several times the earliest counts', async () => {
    const { queue, clock } = queueOf();
    queue.addAfter(a, 10);
    queue.addAfter(a, 3);
    queue.addAfter(a, 5);
    await clock.advance(2.9);
    expect(queue.depth).toBe(0);
    await clock.advance(0.2);
    expect(queue.depth).toBe(1);
    await queue.take();
    queue.finish(a);
    await clock.advance(60);
    expect(queue.depth).toBe(0); // the other times are gone
  });

  test('a wall clock that jumps changes nothing', async () => {
    const { queue, clock } = queueOf();
    queue.addAfter(a, 10);
    clock.jumpWall(3600);
    await clock.advance(9);
    expect(queue.depth).toBe(0);
    clock.jumpWall(-7200);
    await clock.advance(1);
    expect(queue.depth).toBe(1);
  });
});

describe('failing', () => {
  test('each failure doubles the wait up to the maximum, until the key is forgotten', () => {
    const { queue } = queueOf();
    expect([1, 2, 3, 4, 5].map(() => queue.retry(a))).toEqual([1, 2, 4, 8, 8]);
    expect(queue.retry(b)).toBe(1); // other keys have their own count
    queue.forget(a);
    expect(queue.failures(a)).toBe(0);
    expect(queue.retry(a)).toBe(1);
  });

  test('what the server asks for is the least, jitter draws the rest', () => {
    const { queue } = queueOf(new FakeClock(), () => 0.25);
    expect(queue.retry(a)).toBe(0.25);
    expect(queue.retry(b, 17)).toBe(17);
  });
});

test('whatever happens: no key is processed twice at once, none waits twice, none is lost', async () => {
  const action = fc.record({
    do: fc.constantFrom('add', 'addAfter', 'retry', 'take', 'finish', 'advance'),
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    seconds: fc.integer({ min: 0, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const { queue, clock } = queueOf();
      const processing = new Set<string>();
      const owed = new Set<string>(); // must be taken at some time after the last add
      const take = async () => {
        const taken = (await queue.take())!.name;
        expect(processing.has(taken)).toBe(false);
        processing.add(taken);
        owed.delete(taken);
      };
      const finish = (name: string) => {
        processing.delete(name);
        queue.finish(key(name));
      };
      for (const { do: what, name, seconds } of actions) {
        if (what === 'add') queue.add(key(name));
        if (what === 'addAfter') queue.addAfter(key(name), seconds);
        if (what === 'retry') queue.retry(key(name));
        if (what === 'add' || what === 'addAfter' || what === 'retry') owed.add(name);
        if (what === 'advance') await clock.advance(seconds);
        if (what === 'finish' && processing.has(name)) finish(name);
        if (what === 'take' && queue.depth > queue.active) await take();
      }
      await clock.advance(100);
      for (const name of [...processing]) finish(name);
      while (queue.depth > 0) {
        await take();
        for (const name of [...processing]) finish(name);
      }
      expect([...owed]).toEqual([]);
      expect(queue.active).toBe(0);
      expect(clock.pending).toBe(0);
    }),
  );
});
