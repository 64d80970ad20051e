/** More than one run of a model at a time. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import { settled } from '../clock.ts';
import { type Asked, Batching } from './batching.ts';

let batching: Batching;
beforeEach(() => {
  batching = new Batching();
});

describe('runs side by side', () => {
  const sizes = () => batching.runs.map(({ values }) => values.length);
  const askFor = (requests: number, ...rest: [string?]) =>
    Array.from({ length: requests }, (_, i) => batching.ask([i], ...rest));

  test('begin when two full batches wait, and as long as the engine has use for them', async () => {
    batching.room = 3;
    askFor(12);
    await settled();
    expect(sizes()).toEqual([4, 4]);
    askFor(20);
    await settled();
    expect(sizes()).toEqual([4, 4, 4]);
    await batching.runs[1]?.finish();
    expect(sizes()).toEqual([4, 4, 4, 4]);
    expect(batching.batcher.inFlight).toBe(12);
  });

  test('are none while less than two full batches wait', async () => {
    batching.room = 9;
    askFor(11);
    await settled();
    expect(sizes()).toEqual([4]);
    await batching.runs[0]?.finish();
    await batching.runs[1]?.finish();
    expect(sizes()).toEqual([4, 4, 3]);
  });

  test('are told how many they will be', async () => {
    batching.room = 2;
    askFor(3);
    await settled();
    askFor(17);
    await settled();
    await batching.runs[0]?.finish();
    expect(batching.runs.map(({ abreast }) => abreast)).toEqual([1, 4, 3]);
  });

  test('also begin for requests that run alone, of which each is a batch', async () => {
    batching.room = 2;
    askFor(4, 'sum');
    await settled();
    expect(sizes()).toEqual([1, 1]);
  });

  test('end in any order, and each request has its own answer', async () => {
    batching.room = 3;
    const asked = askFor(20);
    await settled();
    await batching.runs[2]?.finish();
    await batching.runs[0]?.finish(new EngineError('Unavailable', 'gone'));
    await batching.runs[1]?.finish();
    expect(asked.slice(0, 4).map(({ answer }) => answer)).toEqual(new Array(4).fill('503 gone'));
    expect(asked.slice(4, 12).map(({ answer }) => answer)).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11].map((i) => [2 * i]),
    );
  });

  test('count as busy once, last as long as the oldest, and what waits is foreseen by what each added', async () => {
    batching.room = 2;
    askFor(16);
    await batching.clock.advance(1);
    await batching.runs[0]?.finish();
    await batching.clock.advance(1);
    expect(batching.batcher.runSeconds).toBe(2);
    await batching.runs[1]?.finish();
    expect([batching.batcher.runSeconds, batching.batcher.totalRunSeconds]).toEqual([1, 2]);
    askFor(8);
    // Two runs in two seconds: one second each, though the second one was in flight for two.
    expect(batching.batcher.backlogMilliseconds).toBe(2000);
  });

  test('whatever comes, goes and fails in whatever order, each request is answered once, with its own', async () => {
    const step = fc.oneof(
      fc.record({ ask: fc.integer({ min: 1, max: 5 }), alone: fc.boolean() }),
      fc.record({ finish: fc.nat({ max: 4 }), fails: fc.boolean() }),
      fc.record({ withdraw: fc.nat({ max: 50 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        async (many, steps) => {
          batching = new Batching();
          batching.room = many;
          const asked: (Asked & { values: number[] })[] = [];
          const withdrawn = new Set<Asked>();
          for (const each of steps) {
            if ('ask' in each) {
              const values = Array.from({ length: each.ask }, (_, i) => 100 * asked.length + i);
              asked.push(Object.assign(batching.ask(values, each.alone ? 'sum' : 'double'), { values }));
            } else if ('finish' in each) {
              await batching.going[each.finish]?.finish(
                each.fails ? new EngineError('Internal', 'broken') : undefined,
              );
            } else if (asked[each.withdraw] && asked[each.withdraw]?.answer === undefined) {
              withdrawn.add(asked[each.withdraw]!);
              asked[each.withdraw]?.withdraw();
            }
            await settled();
            expect(batching.going.length).toBeLessThanOrEqual(Math.max(1, many));
          }
          while (batching.going.length > 0) await batching.going[0]?.finish();
          for (const one of asked) {
            if (withdrawn.has(one)) expect(one.answer).toBeUndefined();
            else expect([one.values.map((value) => 2 * value), '500 broken']).toContainEqual(one.answer);
          }
          expect([batching.batcher.queued, batching.batcher.inFlight]).toEqual([0, 0]);
        },
      ),
    );
  });
});
