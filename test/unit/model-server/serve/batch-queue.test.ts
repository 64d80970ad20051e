import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  NORMAL,
  PATIENT,
  type Priority,
  priorityOf,
  priorityOfHeader,
  URGENT,
} from '../../../../model-server/protocol/priority.ts';
import { BatchQueue, turnAt, type Waiting } from '../../../../model-server/serve/batch-queue.ts';

const item = (key: string | undefined, rows = 1, deadlineAt = 1000, bytes = 4 * rows): Waiting => ({
  key,
  rows,
  bytes,
  ...{ expectedMilliseconds: 0.1 * rows, priority: NORMAL, enqueuedAt: 0, turnAt: 0 },
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
    expect([queue.size, queue.bytes, queue.rows, queue.expectedMilliseconds]).toEqual([0, 0, 0, 0]);
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
    expect(queue.next()).toBe(second);
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

test('batches that would be full are counted, those that run alone as one each', () => {
  const queue = queueOf(item('a', 3), item('a', 4), item('b', 2), item(undefined, 1), item(undefined, 1));
  expect(queue.fullBatches(4)).toBe(4);
  queue.take(limits);
  expect(queue.fullBatches(4)).toBe(3);
  while (queue.size > 0) queue.take(limits);
  expect(queue.fullBatches(1)).toBe(0);
  expect(queueOf(item('a', 99)).fullBatches(4)).toBe(1);
});

test('rows that could join the oldest are counted up to the limit', () => {
  expect(queueOf(item('a', 2), item('b', 9), item('a', 1)).rowsWithNext(4)).toBe(3);
  expect(queueOf(item('a', 2), item('a', 3)).rowsWithNext(4)).toBeGreaterThanOrEqual(4);
  expect(queueOf(item(undefined)).rowsWithNext(4)).toBe(4);
  expect(new BatchQueue().rowsWithNext(4)).toBe(0);
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
        const sum = (read: (each: Waiting) => number) => plain.items.reduce((s, each) => s + read(each), 0);
        expect(queue.bytes).toBe(sum(({ bytes }) => bytes));
        expect(queue.rows).toBe(sum(({ rows }) => rows));
        expect(queue.expectedMilliseconds).toBeCloseTo(sum((each) => each.expectedMilliseconds));
        expect(queue.next()).toBe(plain.items[0]);
      }
    }),
  );
});

describe('priorities', () => {
  const at = (enqueuedAt: number, priority: Priority, key = 'a', rows = 1): Waiting => ({
    ...{
      key,
      rows,
      bytes: 4,
      expectedMilliseconds: 1,
      priority,
      enqueuedAt,
      deadlineAt: enqueuedAt + 10_000,
    },
    turnAt: turnAt(enqueuedAt, priority, 10),
  });
  const order = (queue: BatchQueue<Waiting>) => {
    const taken: Waiting[][] = [];
    while (queue.size > 0) taken.push(queue.take(limits));
    return taken;
  };

  test('the urgent first, then by arrival', () => {
    const [patient, normal, later, urgent] = [
      at(0, PATIENT, 'a'),
      at(1, NORMAL, 'b'),
      at(2, NORMAL, 'c'),
      at(3, URGENT, 'd'),
    ];
    expect(order(queueOf(patient, normal, later, urgent))).toEqual([[urgent], [normal], [later], [patient]]);
  });

  test('no request waits for ever behind urgent ones that keep coming', () => {
    const normal = at(0, NORMAL, 'a');
    const [soon, late] = [at(4_999, URGENT, 'b'), at(5_001, URGENT, 'c')];
    expect(order(queueOf(normal, soon, late))).toEqual([[soon], [normal], [late]]);
  });

  test('an urgent request takes others of its key along', () => {
    const [normal, patient, urgent, other] = [
      at(0, NORMAL),
      at(0, PATIENT),
      at(9, URGENT),
      at(0, NORMAL, 'b'),
    ];
    const queue = queueOf(patient, other, normal, urgent);
    expect(queue.rowsWithNext(9)).toBe(3);
    expect(order(queue)).toEqual([[urgent, normal, patient], [other]]);
  });

  test('what waits is found for withdrawal and expiry, whatever its priority', () => {
    const [patient, urgent] = [at(0, PATIENT), at(0, URGENT)];
    const queue = queueOf(patient, urgent);
    expect(queue.remove(patient)).toBe(true);
    expect(queue.takeExpired(20_000)).toEqual([urgent]);
    expect([queue.size, queue.bytes]).toEqual([0, 0]);
  });

  test.each([
    [undefined, undefined],
    [0, NORMAL],
    [1, URGENT],
    [2, NORMAL],
    [3, PATIENT],
    [1n, URGENT],
    [2n ** 63n, PATIENT],
  ])('the parameter %p', (value, priority) => expect(priorityOf(value)).toBe(priority));

  test.each([['high'], [-1], [1.5], [true]])('the parameter %p is refused', (value) => {
    expect(() => priorityOf(value)).toThrow(/^parameters.priority: a whole number from 0 on expected/);
  });

  test.each([
    ['u=0', URGENT],
    ['u=3', NORMAL],
    ['i, u=5', PATIENT],
    ['u=2;x=1, i', URGENT],
    ['u=8', undefined],
    ['urgent', undefined],
    [undefined, undefined],
  ])('the header %p', (header, priority) => expect(priorityOfHeader(header)).toBe(priority));
});
