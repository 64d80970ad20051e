import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BatchQueue, type Waiting } from '../../../../model-server/serve/batch-queue.ts';

const item = (key: string | undefined, rows = 1, deadlineAt = 1000, bytes = 4 * rows): Waiting => ({
  key,
  rows,
  bytes,
  enqueuedAt: 0,
  deadlineAt,
});
const limits = { rows: 4, bytes: 1000 };

function queueOf<T extends Waiting>(...items: T[]): BatchQueue<T> {
  const queue = new BatchQueue<T>();
  for (const each of items) queue.add(each);
  return queue;
}

describe('a batch', () => {
  test('is the oldest and those of its key that fit', () => {
    const [a1, b, a2, a3] = [item('a', 2), item('b'), item('a', 1), item('a', 2)];
    const queue = queueOf(a1, b, a2, a3);
    expect(queue.take(limits)).toEqual([a1, a2]);
    expect(queue.take(limits)).toEqual([b]);
    expect(queue.take(limits)).toEqual([a3]);
    expect(queue.take(limits)).toEqual([]);
    expect([queue.size, queue.bytes]).toEqual([0, 0]);
  });

  test('is bounded in bytes', () => {
    const [first, second] = [item('a', 1, 0, 600), item('a', 1, 0, 600)];
    expect(queueOf(first, second).take(limits)).toEqual([first]);
  });

  test('may be one request above the bounds', () => {
    const large = item('a', 99, 0, 5000);
    expect(queueOf(large, item('a')).take(limits)).toEqual([large]);
  });

  test('is one request when it must run alone', () => {
    const [first, second] = [item(undefined), item(undefined)];
    const queue = queueOf(first, second);
    expect(queue.take(limits)).toEqual([first]);
    expect(queue.take(limits)).toEqual([second]);
  });

  test('has nothing of what was removed', () => {
    const [first, second, third] = [item('a'), item('a'), item('a')];
    const queue = queueOf(first, second, third);
    expect(queue.remove(first)).toBe(true);
    expect(queue.remove(first)).toBe(false);
    expect(queue.oldest()).toBe(second);
    expect(queue.remove(third)).toBe(true);
    expect(queue.take(limits)).toEqual([second]);
  });
});

test('what has expired is taken, and only that', () => {
  const [late, later, fresh] = [item('a', 1, 10), item('b', 1, 20), item('a', 1, 30)];
  const queue = queueOf(fresh, late, later);
  expect(queue.firstDeadline()).toBe(10);
  expect(new Set(queue.takeExpired(20))).toEqual(new Set([late, later]));
  expect(queue.firstDeadline()).toBe(30);
  expect(queue.take(limits)).toEqual([fresh]);
  expect(queue.firstDeadline()).toBeUndefined();
});

test('rows that could join the oldest are counted up to the limit', () => {
  expect(queueOf(item('a', 2), item('b', 9), item('a', 1)).rowsBehindOldest(4)).toBe(3);
  expect(queueOf(item('a', 2), item('a', 3)).rowsBehindOldest(4)).toBeGreaterThanOrEqual(4);
  expect(queueOf(item(undefined)).rowsBehindOldest(4)).toBe(4);
  expect(new BatchQueue().rowsBehindOldest(4)).toBe(0);
});

/** The same, in the plainest way: one list. */
class PlainQueue {
  items: Waiting[] = [];
  take({ rows, bytes }: { rows: number; bytes: number }): Waiting[] {
    const [first] = this.items;
    const batch: Waiting[] = [];
    if (!first) return batch;
    for (const candidate of this.items.filter(({ key }) => key === first.key)) {
      const sum = (read: (each: Waiting) => number) =>
        [...batch, candidate].reduce((s, each) => s + read(each), 0);
      const fits = sum((each) => each.rows) <= rows && sum((each) => each.bytes) <= bytes;
      if (batch.length > 0 && (!fits || first.key === undefined)) break;
      batch.push(candidate);
    }
    this.items = this.items.filter((each) => !batch.includes(each));
    return batch;
  }
}

test('behaves as a plain list does, whatever is asked of it', () => {
  const command = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        add: fc.constantFrom('a', 'b', undefined),
        rows: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ take: true as const }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ expire: fc.nat(100) }) },
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const queue = new BatchQueue<Waiting>();
      const plain = new PlainQueue();
      const all: Waiting[] = [];
      for (const each of commands) {
        if ('rows' in each) {
          const added = item(each.add, each.rows, all.length % 100);
          all.push(added);
          queue.add(added);
          plain.items.push(added);
        } else if ('take' in each) expect(queue.take(limits)).toEqual(plain.take(limits));
        else if ('remove' in each) {
          const victim = all[each.remove];
          if (!victim) continue;
          expect(queue.remove(victim)).toBe(plain.items.includes(victim));
          plain.items = plain.items.filter((other) => other !== victim);
        } else {
          const expired = plain.items.filter(({ deadlineAt }) => deadlineAt <= each.expire);
          expect(new Set(queue.takeExpired(each.expire))).toEqual(new Set(expired));
          plain.items = plain.items.filter((other) => !expired.includes(other));
        }
        expect(queue.size).toBe(plain.items.length);
        expect(queue.bytes).toBe(plain.items.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(queue.oldest()).toBe(plain.items[0]);
      }
    }),
  );
});
