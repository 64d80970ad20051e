import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import type { Engine } from '../../../../model-server/engine/engine.ts';
import { NORMAL } from '../../../../model-server/protocol/priority.ts';
import type { NamedTensors } from '../../../../model-server/protocol/tensor.ts';
import { BatchQueue, type Waiting } from '../../../../model-server/serve/batch-queue.ts';
import { Batcher } from '../../../../model-server/serve/batcher.ts';
import { TestClock } from '../clock.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (how: { type: 'minor' | 'major' }) => void;
const oldBytes = () =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;

/**
 * What is answered has to be gone with the next short collection. If anything old still leads to it, each collection
 * copies all requests since the one before: tens of milliseconds in which nobody is answered.
 */
test('answered requests do not outlive a short collection', async () => {
  // 20 MB of payload in each round, of which a set of running requests kept 6.
  const [rounds, batches, requests, payloadBytes] = [3, 150, 64, 2048];
  const engine: Pick<Engine, 'run'> = { run: async (_id, _signature, inputs) => inputs };
  const events = { batchFinished() {}, requestStarted() {}, requestExpired() {} };
  const settings = { maxBatchSize: 32, maxDelayMilliseconds: 0, requestTimeoutSeconds: 30 };
  const batcher = new Batcher(engine as Engine, () => settings, events, new TestClock());
  const model = { id: 'm#1', joinable: new Set(['double']) };
  const answerAll = () =>
    new Promise<void>((resolve) => {
      let left = requests;
      for (let i = 0; i < requests; i++) {
        const payload = Array.from({ length: payloadBytes / 8 }, (_, at) => at + 0.5);
        const inputs: NamedTensors = new Map([
          ['x', { datatype: 'FP32', shape: [1], data: Float32Array.of(i) }],
        ]);
        const done = () => {
          if (payload.length > 0 && --left === 0) resolve();
        };
        batcher.submit({ model, signature: 'double', inputs, done });
      }
    });
  const grown: number[] = [];
  for (let i = 0; i < 20; i++) await answerAll();
  for (let round = 0; round < rounds; round++) {
    gc({ type: 'major' });
    const before = oldBytes();
    for (let i = 0; i < batches; i++) {
      await answerAll();
      if (i % 10 === 9) gc({ type: 'minor' });
    }
    grown.push(oldBytes() - before);
  }
  // A collection that comes at a bad moment keeps something in one round, what leads to requests in all of them.
  expect(Math.min(...grown)).toBeLessThan(2 ** 20);
});

test('a queue that is never empty does not keep what was taken from it', async () => {
  const queue = new BatchQueue<Waiting>();
  const waiting = (enqueuedAt: number): Waiting => ({
    ...{ key: 'k', rows: 1, bytes: 4, expectedMilliseconds: 0, priority: NORMAL },
    ...{ enqueuedAt, turnAt: enqueuedAt, deadlineAt: 1000 },
  });
  const taken = () => new WeakRef(queue.take({ rows: 1, bytes: 1024 })[0]!);
  for (let i = 0; i < 3; i++) queue.add(waiting(i));
  const first = taken();
  // Within a turn a weak reference that was just made holds on.
  await nextTurn();
  gc({ type: 'major' });
  expect([first.deref(), queue.size]).toEqual([undefined, 2]);
});
