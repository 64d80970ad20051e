import { beforeEach, expect, test } from '@jest/globals';
import { RunThreads } from '../../../../model-server/engine/run-threads.ts';

const [traffic, air] = [{ name: 'traffic' }, { name: 'air' }];
let now: number;
let threads: RunThreads;

beforeEach(() => {
  now = 5000;
  threads = new RunThreads(() => now);
});

test('the first model is the sole user, as long as no other one comes', () => {
  expect(threads.isSoleUser(traffic)).toBe(false);
  threads.use(traffic);
  expect([threads.isSoleUser(traffic), threads.isSoleUser(air)]).toEqual([true, false]);
});

test('after another one has come, nobody is for a second', () => {
  threads.use(traffic);
  threads.use(air);
  now += 999;
  threads.use(air);
  expect([threads.isSoleUser(traffic), threads.isSoleUser(air)]).toEqual([false, false]);
  now += 1;
  expect([threads.isSoleUser(traffic), threads.isSoleUser(air)]).toEqual([false, true]);
});

test('two that take turns are both not, however long', () => {
  for (let turn = 0; turn < 10; turn++) {
    threads.use(turn % 2 === 0 ? traffic : air);
    expect([threads.isSoleUser(traffic), threads.isSoleUser(air)]).toEqual([turn === 0, false]);
    now += 900;
  }
});

test('runs count until they settle, however they do', async () => {
  const good = threads.during(Promise.resolve(1));
  const bad = threads.during(Promise.reject(new Error('broken')));
  expect(threads.runs).toBe(2);
  expect(await good).toBe(1);
  await expect(bad).rejects.toThrow('broken');
  expect(threads.runs).toBe(0);
});
