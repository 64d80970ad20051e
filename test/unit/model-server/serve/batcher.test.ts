import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Engine, EngineError } from '../../../../model-server/engine/engine.ts';
import type { NamedTensors } from '../../../../model-server/protocol/tensor.ts';
import { Batcher, type BatcherSettings, type Outcome } from '../../../../model-server/serve/batcher.ts';
import { settled, TestClock } from '../clock.ts';

interface Run {
  id: string;
  signature: string;
  values: number[];
  abreast: number | undefined;
  isOver: boolean;
  finish(outcome?: Error | ((values: number[]) => number[])): Promise<void>;
}

let clock: TestClock;
let runs: Run[];
/** Runs that the engine has use for at once. */
let room: number;
let settings: BatcherSettings;
let events: string[];
let batcher: Batcher;

const model = { id: 'm#1', joinable: new Set(['double']) };

beforeEach(() => {
  clock = new TestClock();
  runs = [];
  events = [];
  settings = { maxBatchSize: 4, maxDelayMilliseconds: 0, requestTimeoutSeconds: 30 };
  room = 1;
  const engine: Pick<Engine, 'run' | 'isSaturated'> = {
    isSaturated: () => runs.filter(({ isOver }) => !isOver).length >= room,
    run: (id, signature, inputs, { abreast } = {}) =>
      new Promise((resolve, reject) => {
        const values = numbers(inputs, 'x');
        runs.push({
          id,
          signature,
          values,
          abreast,
          isOver: false,
          async finish(outcome = (given) => given.map((value) => 2 * value)) {
            this.isOver = true;
            if (outcome instanceof Error) reject(outcome);
            else {
              const data = Float32Array.from(outcome(values));
              resolve(new Map([['y', { datatype: 'FP32', shape: [data.length], data }]]));
            }
            await settled();
          },
        });
      }),
  };
  batcher = new Batcher(
    engine as Engine,
    () => settings,
    {
      batchFinished: (requests, rows) => events.push(`batch ${requests}/${rows}`),
      requestStarted: (waited) => events.push(`started after ${waited}`),
      requestExpired: (waited) => events.push(`expired after ${waited}`),
    },
    clock,
  );
});

const numbers = (tensors: NamedTensors, name: string) => [...(tensors.get(name)!.data as Float32Array)];

interface Asked {
  answer: number[] | string | undefined;
  withdraw(): void;
}

function ask(values: number[], signature = 'double', to = model, timeoutSeconds?: number): Asked {
  const inputs: NamedTensors = new Map([
    ['x', { datatype: 'FP32', shape: [values.length], data: Float32Array.from(values) }],
  ]);
  const asked: Asked = { answer: undefined, withdraw: () => {} };
  const done = (outcome: Outcome) => {
    if (asked.answer !== undefined) throw new Error('answered twice');
    asked.answer =
      'error' in outcome ? `${outcome.error.status} ${outcome.error.message}` : numbers(outcome.outputs, 'y');
  };
  asked.withdraw = batcher.submit({ model: to, signature, inputs, timeoutSeconds, done });
  return asked;
}

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

describe('runs side by side', () => {
  const sizes = () => runs.map(({ values }) => values.length);
  const askFor = (requests: number, ...rest: [string?]) =>
    Array.from({ length: requests }, (_, i) => ask([i], ...rest));

  test('begin when two full batches wait, and as long as the engine has use for them', async () => {
    room = 3;
    askFor(12);
    await settled();
    expect(sizes()).toEqual([4, 4]);
    askFor(20);
    await settled();
    expect(sizes()).toEqual([4, 4, 4]);
    await runs[1]?.finish();
    expect(sizes()).toEqual([4, 4, 4, 4]);
    expect(batcher.inFlight).toBe(12);
  });

  test('are none while less than two full batches wait', async () => {
    room = 9;
    askFor(11);
    await settled();
    expect(sizes()).toEqual([4]);
    await runs[0]?.finish();
    await runs[1]?.finish();
    expect(sizes()).toEqual([4, 4, 3]);
  });

  test('are told how many they will be', async () => {
    room = 2;
    askFor(3);
    await settled();
    askFor(17);
    await settled();
    await runs[0]?.finish();
    expect(runs.map(({ abreast }) => abreast)).toEqual([1, 4, 3]);
  });

  test('also begin for requests that run alone, of which each is a batch', async () => {
    room = 2;
    askFor(4, 'sum');
    await settled();
    expect(sizes()).toEqual([1, 1]);
  });

  test('end in any order, and each request has its own answer', async () => {
    room = 3;
    const asked = askFor(20);
    await settled();
    await runs[2]?.finish();
    await runs[0]?.finish(new EngineError('Unavailable', 'gone'));
    await runs[1]?.finish();
    expect(asked.slice(0, 4).map(({ answer }) => answer)).toEqual(new Array(4).fill('503 gone'));
    expect(asked.slice(4, 12).map(({ answer }) => answer)).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11].map((i) => [2 * i]),
    );
  });

  test('count as busy once, last as long as the oldest, and what waits is foreseen by what each added', async () => {
    room = 2;
    askFor(16);
    await clock.advance(1);
    await runs[0]?.finish();
    await clock.advance(1);
    expect(batcher.runSeconds).toBe(2);
    await runs[1]?.finish();
    expect([batcher.runSeconds, batcher.totalRunSeconds]).toEqual([1, 2]);
    askFor(8);
    // Two runs in two seconds: one second each, though the second one was in flight for two.
    expect(batcher.backlogMilliseconds).toBe(2000);
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
          runs.length = 0;
          room = many;
          const asked: (Asked & { values: number[] })[] = [];
          const withdrawn = new Set<Asked>();
          const going = () => runs.filter(({ isOver }) => !isOver);
          for (const each of steps) {
            if ('ask' in each) {
              const values = Array.from({ length: each.ask }, (_, i) => 100 * asked.length + i);
              asked.push(Object.assign(ask(values, each.alone ? 'sum' : 'double'), { values }));
            } else if ('finish' in each) {
              await going()[each.finish]?.finish(
                each.fails ? new EngineError('Internal', 'broken') : undefined,
              );
            } else if (asked[each.withdraw] && asked[each.withdraw]?.answer === undefined) {
              withdrawn.add(asked[each.withdraw]!);
              asked[each.withdraw]?.withdraw();
            }
            await settled();
            expect(going().length).toBeLessThanOrEqual(Math.max(1, many));
          }
          while (going().length > 0) await going()[0]?.finish();
          for (const one of asked) {
            if (withdrawn.has(one)) expect(one.answer).toBeUndefined();
            else expect([one.values.map((value) => 2 * value), '500 broken']).toContainEqual(one.answer);
          }
          expect([batcher.queued, batcher.inFlight]).toEqual([0, 0]);
        },
      ),
    );
  });
});
