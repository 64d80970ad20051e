import { beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { LoadReport } from '../../../../crds/load-report.ts';
import { Serving } from '../../../../crds/model-service.ts';
import type { ModelAssignment } from '../../../../crds/pod-contract.ts';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import { LoadError } from '../../../../model-server/repository/load-error.ts';
import type { LocalModel, Repository } from '../../../../model-server/repository/repository.ts';
import { LoadTurns } from '../../../../model-server/serve/load-turns.ts';
import { ModelHost } from '../../../../model-server/serve/model-host.ts';
import { ModelUses } from '../../../../model-server/serve/model-uses.ts';
import { settled, TestClock } from '../clock.ts';
import { DiaryEngine } from './diary.ts';

let clock: TestClock;
let engine: DiaryEngine;
let host: ModelHost;
let uses: ModelUses;
let fetches: string[];
let fetchFailure: LoadError | undefined;
let unchanged: () => Promise<void>;
/** Versions at the address, and a stamp of each one's files. */
let versions: Map<number, string>;
let kept: string[][];

const localModel = (uri: string): LocalModel => {
  const version = Math.max(...versions.keys());
  return {
    directory: '/models',
    digest: `sha256:${uri} ${version} ${versions.get(version)}`,
    version,
    cached: false,
    assertUnchanged: () => unchanged(),
  };
};

const repository: Repository = {
  async fetch({ uri }, progress, signal) {
    fetches.push(uri);
    progress(`fetching ${uri}`);
    if (fetchFailure) throw fetchFailure;
    signal.throwIfAborted();
    return localModel(uri);
  },
  async look({ uri }) {
    const { version, digest } = localModel(uri);
    return { version: version!, stamp: digest };
  },
  versions: async () => [...versions.keys()],
  async keep() {},
};

const assignment = (revision: string, serving: object = {}): ModelAssignment => ({
  revision,
  model: { uri: `pvc://models/${revision}` },
  serving: Serving.parse(serving),
});

beforeEach(() => {
  clock = new TestClock();
  engine = new DiaryEngine();
  [fetches, kept, fetchFailure] = [[], [], undefined];
  versions = new Map([[1, 'a']]);
  unchanged = async () => {};
  uses = new ModelUses();
  const turns = new LoadTurns(() => kept.push(host.digests));
  host = new ModelHost({
    name: 'm',
    uses,
    turns,
    engine,
    repository,
    serving: Serving.parse({}),
    metrics: { loadSucceeded: () => {}, loadFailed: () => {} },
    recordedRequests: async () => [],
    clock,
    log: pino({ level: 'silent' }),
  });
});

const report = () => {
  const { load, ...part } = LoadReport.shape;
  for (const [key, value] of Object.entries(host.report())) {
    expect(part[key as keyof typeof part].safeParse(value).error?.message).toBeUndefined();
  }
  return host.report();
};

test('nothing is ready before a real inference', async () => {
  const open = engine.hold();
  expect(host.whyNotServing()).toBe('no model has been assigned yet');
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  expect(host.isReady).toBe(false);
  expect(report()).toEqual({
    state: 'Loading',
    loading: { revision: 'aaaaaaaaaa', message: 'loading pvc://models/aaaaaaaaaa into TensorFlow' },
  });
  open();
  await settled();
  expect(host.isReady).toBe(true);
  expect(engine.diary).toEqual([
    'load m:aaaaaaaaaa@1#1',
    'run m:aaaaaaaaaa@1#1 1',
    'run m:aaaaaaaaaa@1#1 32',
  ]);
  expect(host.current?.joinable.has('serving_default')).toBe(true);
  expect(report()).toMatchObject({
    state: 'Serving',
    serving: {
      revision: 'aaaaaaaaaa',
      version: 1,
      format: 'SavedModel',
      lastInferenceAt: clock.epochMilliseconds(),
    },
  });
});

test('the old model goes when its last request is answered', async () => {
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  const old = host.current!;
  const [first, second] = [uses.use(old), uses.use(old)];
  host.assign(assignment('bbbbbbbbbb'));
  await settled();
  expect(host.current?.revision).toBe('bbbbbbbbbb');
  first();
  expect(engine.diary).not.toContain('unload m:aaaaaaaaaa@1#1');
  second();
  await settled();
  expect(engine.diary).toContain('unload m:aaaaaaaaaa@1#1');
  expect(kept.at(-1)).toEqual([host.current?.digest, old.digest]);
});

test('what is overtaken by a newer assignment never serves, and at most two models are in memory', async () => {
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  const open = engine.hold();
  host.assign(assignment('bbbbbbbbbb'));
  await settled();
  host.assign(assignment('cccccccccc'));
  await settled();
  expect(engine.diary.filter((line) => line.startsWith('load'))).toHaveLength(2);
  open();
  await settled();
  expect(host.current?.revision).toBe('cccccccccc');
  expect(engine.diary.filter((line) => /load/.test(line))).toEqual([
    'load m:aaaaaaaaaa@1#1',
    'load m:bbbbbbbbbb@1#2',
    'unload m:bbbbbbbbbb@1#2',
    'load m:cccccccccc@1#3',
    'unload m:aaaaaaaaaa@1#1',
  ]);
});

test('serving settings apply without a load', async () => {
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  host.assign(assignment('aaaaaaaaaa', { queueCapacity: 7 }));
  await settled();
  expect(host.serving.queueCapacity).toBe(7);
  expect(fetches).toHaveLength(1);
});

describe('a failed load', () => {
  test('keeps the old model, says why, and is tried again', async () => {
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    fetchFailure = new LoadError('SourceUnreachable', 'it does not answer');
    host.assign(assignment('bbbbbbbbbb'));
    await settled();
    expect(report()).toMatchObject({
      state: 'Failed',
      serving: { revision: 'aaaaaaaaaa' },
      error: { revision: 'bbbbbbbbbb', reason: 'SourceUnreachable', message: 'it does not answer' },
    });
    expect(host.isReady).toBe(true);
    fetchFailure = undefined;
    await clock.advance(1.3);
    expect(report()).toMatchObject({ state: 'Serving', serving: { revision: 'bbbbbbbbbb' } });
    expect(report().error).toBeUndefined();
  });

  test('stays the cause while the next try goes on', async () => {
    fetchFailure = new LoadError('SourceUnreachable', 'it does not answer');
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    fetchFailure = undefined;
    const open = engine.hold();
    await clock.advance(1.3);
    expect(report()).toMatchObject({
      state: 'Loading',
      loading: { revision: 'aaaaaaaaaa', message: expect.stringContaining('into TensorFlow') },
      error: { revision: 'aaaaaaaaaa', reason: 'SourceUnreachable', message: 'it does not answer' },
    });
    expect(host.whyNotServing()).toMatch(
      /being loaded again \(.*into TensorFlow\), after this: it does not answer/,
    );
    open();
    await settled();
    expect(report()).toMatchObject({ state: 'Serving', serving: { revision: 'aaaaaaaaaa' } });
    expect(report().error).toBeUndefined();
  });

  test.each<[string, () => void, string, RegExp]>([
    [
      'TensorFlow refuses it',
      () => (engine.loadFailure = new EngineError('InvalidArgument', 'no graph')),
      'ModelInvalid',
      /no graph/,
    ],
    [
      'memory is short',
      () => (engine.loadFailure = new EngineError('Internal', 'OOM when allocating')),
      'OutOfMemory',
      /OOM/,
    ],
    [
      'the engine is gone',
      () => (engine.loadFailure = new EngineError('Unavailable', 'dead')),
      'EngineFailed',
      /dead/,
    ],
    [
      'it does not answer',
      () => (engine.runFailure = new EngineError('Internal', 'bad op')),
      'WarmUpFailed',
      /serving_default does not answer: bad op/,
    ],
  ])('when %s', async (_what, arrange, reason, message) => {
    arrange();
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    expect(report().error).toEqual({
      revision: 'aaaaaaaaaa',
      reason,
      message: expect.stringMatching(message),
    });
    expect(host.whyNotServing()).toMatch(message);
    expect(engine.diary.at(-1)).toBe('unload m:aaaaaaaaaa@1#1');
  });

  test('of the same bytes is not repeated in the engine', async () => {
    engine.loadFailure = new EngineError('InvalidArgument', 'no graph');
    host.assign(assignment('aaaaaaaaaa'));
    await clock.advance(120);
    expect(fetches.length).toBeGreaterThan(1);
    expect(engine.diary.filter((line) => line.startsWith('load'))).toHaveLength(1);
  });

  test('because the files were still being written is tried again soon', async () => {
    engine.loadFailure = new EngineError('InvalidArgument', 'cut short');
    unchanged = async () => {
      throw new LoadError('ModelInvalid', 'the files changed', 'soon');
    };
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    expect(report().error?.message).toBe('the files changed');
    engine.loadFailure = undefined;
    unchanged = async () => {};
    await clock.advance(1.3);
    expect(host.isReady).toBe(true);
  });
});

describe('version directories', () => {
  test('a new one is taken once it is settled, and one that is removed is left', async () => {
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    versions.set(2, 'half');
    await clock.advance(5);
    versions.set(2, 'whole');
    await clock.advance(5);
    expect(host.current?.version).toBe(1);
    await clock.advance(5);
    expect(host.current?.version).toBe(2);
    versions.delete(2);
    await clock.advance(10);
    expect(host.current?.version).toBe(1);
    expect(report().state).toBe('Serving');
  });

  test('a broken one leaves the replica serving, and is tried again when its files change', async () => {
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    engine.loadFailure = new EngineError('InvalidArgument', 'no graph');
    versions.set(2, 'broken');
    await clock.advance(10);
    expect(report()).toMatchObject({
      state: 'Serving',
      serving: { version: 1 },
      error: { reason: 'ModelInvalid' },
    });
    engine.loadFailure = undefined;
    versions.set(2, 'repaired');
    await clock.advance(10);
    expect(report()).toMatchObject({ state: 'Serving', serving: { version: 2 } });
    expect(report().error).toBeUndefined();
  });

  test('files of the served version are not loaded again', async () => {
    host.assign(assignment('aaaaaaaaaa'));
    await settled();
    versions.set(1, 'touched');
    await clock.advance(30);
    expect(fetches).toHaveLength(1);
  });
});

test('a drained replica answers on but is not ready', async () => {
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  host.drain();
  expect([host.isReady, host.isDraining, report().state]).toEqual([false, true, 'Draining']);
  expect(host.current).toBeDefined();
});

test('a dead engine serves nothing', async () => {
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  engine.die(new EngineError('Unavailable', 'the engine crashed'));
  await settled();
  expect([host.isReady, host.current]).toEqual([false, undefined]);
  expect(report()).toEqual({
    state: 'Failed',
    error: { revision: 'aaaaaaaaaa', reason: 'EngineFailed', message: 'the engine crashed' },
  });
});

test('tells of what is new, and not of the same assignment again', async () => {
  let told = 0;
  host.onChange(() => told++);
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  expect(told).toBe(2); // wanted, then served
  host.assign(assignment('aaaaaaaaaa', { maxBatchSize: 8 }));
  host.assign(assignment('aaaaaaaaaa'));
  await settled();
  expect(told).toBe(2);
});
