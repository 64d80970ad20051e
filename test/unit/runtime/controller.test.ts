import { afterEach, describe, expect, test } from '@jest/globals';
import { KubeError } from '../../../operator/kube/errors.ts';
import {
  again,
  Controller,
  type ControllerOptions,
  done,
  type Reconcile,
  TerminalError,
} from '../../../operator/runtime/controller.ts';
import type { Key } from '../../../operator/runtime/key.ts';
import { noMetrics, type ReconcileOutcome } from '../../../operator/runtime/metrics.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { logLines } from './log-lines.ts';

const key = (name: string): Key => ({ cluster: '', namespace: 'city', name });
const kubeError = (kind: KubeError['kind'], retryAfterSeconds?: number) =>
  new KubeError({ kind, status: 500, reason: 'R', message: 'm', retryAfterSeconds });

let stop = new AbortController();
let running: Promise<void> = Promise.resolve();
afterEach(async () => {
  stop.abort();
  await running;
});

function start(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  stop = new AbortController();
  const clock = new FakeClock();
  const outcomes: ReconcileOutcome[] = [];
  const { log, lines } = logLines();
  const controller = new Controller({
    name: 'test',
    reconcile,
    clock,
    log,
    random: () => 1,
    backoff: { baseSeconds: 1, maxSeconds: 8 },
    metrics: { ...noMetrics, reconciled: (_, outcome) => outcomes.push(outcome) },
    ...options,
  });
  running = controller.run(stop.signal);
  return { controller, clock, outcomes, lines };
}

/** A reconcile that does these things one after another, and the times at which it was called. */
function script(clockOf: () => FakeClock, ...acts: (() => unknown)[]) {
  const calls: number[] = [];
  const reconcile: Reconcile = async () => {
    calls.push(clockOf().monotonicSeconds());
    const result = acts[calls.length - 1]?.();
    return (result as typeof done | undefined) ?? done;
  };
  return { calls, reconcile };
}
const fail = (error: unknown) => () => {
  throw error;
};

describe('after a reconcile', () => {
  test('that is done, nothing happens until the next change', async () => {
    const { calls, reconcile } = script(() => clock);
    const { controller, clock, outcomes } = start(reconcile);
    controller.enqueue(key('a'));
    await clock.advance(1000);
    expect(calls).toEqual([0]);
    controller.enqueue(key('a'));
    await settle();
    expect(calls).toEqual([0, 1000]);
    expect(outcomes).toEqual(['done', 'done']);
  });

  test('that asks for another look, it comes when asked for', async () => {
    const { calls, reconcile } = script(
      () => clock,
      () => again(30, 'pods start'),
    );
    const { controller, clock, outcomes } = start(reconcile);
    controller.enqueue(key('a'));
    await clock.advance(100);
    expect(calls).toEqual([0, 30]);
    expect(outcomes).toEqual(['again', 'done']);
  });

  test('that fails, it is tried again more and more slowly, until a success', async () => {
    const failing = fail(kubeError('retry'));
    const { calls, reconcile } = script(
      () => clock,
      failing,
      failing,
      failing,
      () => done,
      failing,
    );
    const { controller, clock, outcomes } = start(reconcile);
    controller.enqueue(key('a'));
    await clock.advance(20);
    expect(calls).toEqual([0, 1, 3, 7]);
    controller.enqueue(key('a'));
    await clock.advance(20);
    expect(calls.slice(4)).toEqual([20, 21]);
    expect(outcomes).toEqual(['retry', 'retry', 'retry', 'done', 'retry', 'done']);
  });

  test('that the server wants later, it is tried later', async () => {
    const { calls, reconcile } = script(() => clock, fail(kubeError('retry', 17)));
    const { controller, clock } = start(reconcile);
    controller.enqueue(key('a'));
    await clock.advance(100);
    expect(calls).toEqual([0, 17]);
  });

  test.each([
    ['the API server', kubeError('terminal')],
    ['our own code', new TerminalError('no such format')],
  ])('that %s calls hopeless, only a change brings it back', async (_, error) => {
    const { calls, reconcile } = script(() => clock, fail(error));
    const { controller, clock, outcomes, lines } = start(reconcile);
    controller.enqueue(key('a'));
    await clock.advance(10_000);
    expect(calls).toEqual([0]);
    expect(outcomes).toEqual(['terminal']);
    expect(lines).toMatchObject([{ msg: 'reconcile failed for good', key: 'city/a', controller: 'test' }]);
    controller.enqueue(key('a'));
    await settle();
    expect(calls).toHaveLength(2);
  });

  test.each([
    ['conflict', kubeError('conflict'), 'reconcile met a conflict', 20],
    ['retry', kubeError('notFound'), 'reconcile failed', 40],
    ['panic', new TypeError('x is undefined'), 'reconcile panicked', 50],
    ['panic', 'a string', 'reconcile panicked', 50],
  ])(
    '%s: logged once, at the level that it deserves, and tried again',
    async (outcome, error, msg, level) => {
      const { calls, reconcile } = script(() => clock, fail(error));
      const { controller, clock, outcomes, lines } = start(reconcile);
      controller.enqueue(key('a'));
      await clock.advance(100);
      expect(calls).toHaveLength(2);
      expect(outcomes).toEqual([outcome, 'done']);
      expect(lines).toMatchObject([{ msg, level, key: 'city/a', failures: 1 }]);
    },
  );
});

test('a key that fails does not hold up the others', async () => {
  const seen: string[] = [];
  const { controller, clock } = start(async ({ name }) => {
    seen.push(name);
    if (name === 'bad') throw kubeError('retry');
    return done;
  });
  for (const name of ['bad', 'a', 'b', 'c']) controller.enqueue(key(name));
  await clock.advance(0);
  expect(seen).toEqual(['bad', 'a', 'b', 'c']);
});

test('so many keys at once and no more, never the same one twice', async () => {
  const active = new Set<string>();
  let most = 0;
  const { controller, clock, outcomes } = start(
    async ({ name }) => {
      expect(active.has(name)).toBe(false);
      active.add(name);
      most = Math.max(most, active.size);
      await clock.sleep(1);
      active.delete(name);
      return done;
    },
    { parallelism: 3 },
  );
  for (let round = 0; round < 3; round += 1) {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) controller.enqueue(key(name));
    await clock.advance(0.5);
  }
  await clock.advance(20);
  expect(most).toBe(3);
  expect(new Set(outcomes)).toEqual(new Set(['done']));
});

test('a reconcile that takes too long is told to stop, and shows meanwhile', async () => {
  const { controller, clock, outcomes } = start(
    (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(kubeError('retry')))),
    { timeoutSeconds: 60 },
  );
  controller.enqueue(key('a'));
  await clock.advance(59);
  expect(controller.longestRunSeconds()).toBe(59);
  await clock.advance(1);
  expect(outcomes).toEqual(['retry']);
  expect(controller.longestRunSeconds()).toBe(0);
});

test('stopping waits for what is in flight, begins nothing new and logs no failure', async () => {
  let finish = () => {};
  const seen: string[] = [];
  const { controller, lines } = start(
    async ({ name }, signal) => {
      seen.push(name);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      expect(signal.aborted).toBe(true);
      throw kubeError('retry');
    },
    { parallelism: 1 },
  );
  controller.enqueue(key('a'));
  controller.enqueue(key('b'));
  await settle();
  stop.abort();
  let isOver = false;
  void running.then(() => {
    isOver = true;
  });
  await settle();
  expect(isOver).toBe(false);
  finish();
  await running;
  expect(seen).toEqual(['a']);
  expect(lines).toEqual([]);
});
