import { beforeEach, describe, expect, test } from '@jest/globals';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import type { Batcher, BatcherSettings } from '../../../../model-server/serve/batcher.ts';
import { settled, type TestClock } from '../clock.ts';
import { Batching, model, type Run } from './batching.ts';

let clock: TestClock;
let runs: readonly Run[];
let settings: BatcherSettings;
let events: readonly string[];
let batcher: Batcher;
let ask: Batching['ask'];

beforeEach(() => {
  ({ clock, runs, settings, events, batcher, ask } = new Batching());
});

describe('batches', () => {
  test('a request to an idle engine runs at once; what arrives meanwhile is the next batch', async () => {
    const first = ask([1]);
    await settled();
    const [second, third] = [ask([2]), ask([3, 4])];
    await settled();
    expect(runs.map(({ values }) => values)).toEqual([[1]]);
    await runs[0]?.finish();
    expect(runs.map(({ values }) => values)).toEqual([[1], [2, 3, 4]]);
    await runs[1]?.finish();
    expect([first, second, third].map(({ answer }) => answer)).toEqual([[2], [4], [6, 8]]);
    expect(events).toContain('batch 2/3');
    expect([batcher.queued, batcher.inFlight]).toEqual([0, 0]);
  });

  test('requests of one moment share a batch', async () => {
    for (let value = 0; value < 4; value++) ask([value]);
    await settled();
    expect(runs.map(({ values }) => values)).toEqual([[0, 1, 2, 3]]);
  });

  test('stay below the largest size', async () => {
    for (let value = 0; value < 6; value++) ask([value]);
    await settled();
    await runs[0]?.finish();
    expect(runs.map(({ values }) => values.length)).toEqual([4, 2]);
  });

  test('never mix models or signatures, nor join where rows are not told apart', async () => {
    ask([1]);
    ask([2], 'sum');
    ask([3], 'sum');
    ask([4], 'double', { ...model, id: 'm#2' });
    for (let run = 0; run < 4; run++) {
      await settled();
      await runs[run]?.finish();
    }
    expect(runs.map(({ id, signature, values }) => [id, signature, values])).toEqual([
      ['m#1', 'double', [1]],
      ['m#1', 'sum', [2]],
      ['m#1', 'sum', [3]],
      ['m#2', 'double', [4]],
    ]);
  });

  test('wait to fill up only when asked to, and not longer', async () => {
    settings.maxDelayMilliseconds = 5;
    ask([1]);
    await clock.advance(0.003);
    ask([2]);
    await settled();
    expect(runs).toHaveLength(0);
    await clock.advance(0.002);
    expect(runs.map(({ values }) => values)).toEqual([[1, 2]]);
    await runs[0]?.finish();
    for (let value = 0; value < 4; value++) ask([value]);
    await settled();
    expect(runs[1]?.values).toHaveLength(4);
  });
});

describe('failures', () => {
  test('one bad request does not fail those that it was joined with', async () => {
    const asked = [ask([1]), ask([-1]), ask([3])];
    await settled();
    await runs[0]?.finish(new EngineError('Internal', 'negative'));
    for (let run = 1; run <= 3; run++) {
      const bad = (runs[run]?.values[0] ?? 0) < 0;
      await runs[run]?.finish(bad ? new EngineError('Internal', 'negative') : undefined);
    }
    expect(asked.map(({ answer }) => answer)).toEqual([[2], '500 negative', [6]]);
  });

  test('outputs that are nobody’s are computed one by one', async () => {
    const asked = [ask([1]), ask([2])];
    await settled();
    await runs[0]?.finish((values) => [values.reduce((a, b) => a + b)]);
    await runs[1]?.finish();
    await runs[2]?.finish();
    expect(asked.map(({ answer }) => answer)).toEqual([[2], [4]]);
  });

  test('a dead engine fails all at once, without another try', async () => {
    const asked = [ask([1]), ask([2])];
    await settled();
    await runs[0]?.finish(new EngineError('Unavailable', 'the engine died'));
    expect(asked.map(({ answer }) => answer)).toEqual(['503 the engine died', '503 the engine died']);
    expect(runs).toHaveLength(1);
  });

  test('anything else is told as such', async () => {
    const asked = ask([1]);
    await settled();
    await runs[0]?.finish(new TypeError('oh'));
    expect(asked.answer).toBe('500 the inference failed: oh');
  });
});

describe('waiting', () => {
  test('longer than a request allows for itself is answered 504, before older ones that allow more', async () => {
    ask([1]);
    await settled();
    const patient = ask([2]);
    const hasty = ask([3], 'double', model, 0.5);
    await clock.advance(0.5);
    expect(hasty.answer).toMatch(/^504 the request waited 0.5 s .*its own timeout/);
    expect(patient.answer).toBeUndefined();
    await runs[0]!.finish();
    await runs[1]!.finish();
    expect(patient.answer).toEqual([4]);
  });

  test('too long is answered 504, also while a run goes on and on', async () => {
    settings.requestTimeoutSeconds = 2;
    const running = ask([1]);
    await settled();
    const late = ask([2]);
    await clock.advance(1);
    const fresh = ask([3]);
    await clock.advance(1.5);
    expect(late.answer).toMatch(/^504 the request waited 2.0 s .*requestTimeoutSeconds/);
    expect(running.answer).toBeUndefined();
    expect(fresh.answer).toBeUndefined();
    await runs[0]?.finish();
    await runs[1]?.finish();
    expect([running.answer, fresh.answer]).toEqual([[2], [6]]);
    expect(events).toContain('expired after 2000');
  });

  test('is over for a client that goes away, and costs no run', async () => {
    const running = ask([1]);
    await settled();
    const gone = ask([2]);
    gone.withdraw();
    running.withdraw();
    expect(batcher.queued).toBe(0);
    await runs[0]?.finish();
    expect(runs).toHaveLength(1);
    expect([running.answer, gone.answer]).toEqual([undefined, undefined]);
  });

  test('is foreseen by what runs took, once more waits than one batch takes', async () => {
    ask([1, 2]);
    await settled();
    await clock.advance(0.3);
    expect(batcher.backlogMilliseconds).toBe(0);
    await runs[0]?.finish();
    ask([3, 4]);
    await settled();
    ask([5, 6, 7, 8]);
    expect(batcher.backlogMilliseconds).toBe(0);
    const last = ask([9]);
    expect(batcher.backlogMilliseconds).toBe(750);
    last.withdraw();
    expect(batcher.backlogMilliseconds).toBe(0);
  });

  test('and running are measured', async () => {
    ask([1]);
    await settled();
    ask([2]);
    await clock.advance(3);
    expect([batcher.queued, batcher.inFlight, batcher.runSeconds, batcher.totalRunSeconds]).toEqual([
      1, 1, 3, 3,
    ]);
    await runs[0]?.finish();
    await clock.advance(1);
    await runs[1]?.finish();
    expect([batcher.runSeconds, batcher.totalRunSeconds]).toEqual([0, 4]);
    expect(events).toContain('started after 3000');
  });
});
