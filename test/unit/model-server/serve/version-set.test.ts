import { beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Serving } from '../../../../crds/model-service.ts';
import { LoadTurns } from '../../../../model-server/serve/load-turns.ts';
import { ModelUses } from '../../../../model-server/serve/model-uses.ts';
import { NamedModel } from '../../../../model-server/serve/named-model.ts';
import type { VersionPolicy } from '../../../../model-server/serve/version-policy.ts';
import { settled, TestClock } from '../clock.ts';
import { DiaryEngine, ListedRepository } from './diary.ts';

const uri = 'pvc://models/traffic';
let engine: DiaryEngine;
let repository: ListedRepository;
let clock: TestClock;
let uses: ModelUses;

async function model(
  policy: VersionPolicy,
  labels?: Record<string, number>,
  begun = (_: NamedModel) => {},
): Promise<NamedModel> {
  const named = new NamedModel({
    ...{ name: 'traffic', engine, repository, uses, clock, policy },
    turns: new LoadTurns(() => {}),
    serving: Serving.parse({}),
    metrics: { loadSucceeded: () => {}, loadFailed: () => {} },
    recordedRequests: async () => [],
    events: { batchFinished: () => {}, requestStarted: () => {}, requestExpired: () => {} },
    log: pino({ level: 'silent' }),
    ...(labels && { labels: new Map(Object.entries(labels)) }),
  });
  begun(named);
  named.assign({ revision: 'aaaaaaaaaa', model: { uri }, serving: Serving.parse({}) });
  await settled();
  return named;
}

const versions = (named: NamedModel) => named.served.map(({ version }) => version);

beforeEach(() => {
  [engine, repository] = [new DiaryEngine(), new ListedRepository()];
  [clock, uses] = [new TestClock(), new ModelUses()];
  repository.listed.set(uri, [1, 2, 3]);
});

test.each<[VersionPolicy, number[]]>([
  [{ all: true }, [1, 2, 3]],
  [{ latest: 2 }, [2, 3]],
  [{ specific: [1] }, [1]],
])('%j serves %j, and the newest answers when none is named', async (policy, served) => {
  const named = await model(policy);
  expect(versions(named)).toEqual(served);
  expect(named.find({}).version).toBe(served.at(-1));
  expect(named.find({ version: String(served[0]) }).version).toBe(served[0]);
  expect(() => named.find({ version: '9' })).toThrow(/Specific\(traffic, 9\); version.* served/);
  expect(named.isReady).toBe(true);
});

test('a new version is taken once its files are settled, and the oldest goes after that', async () => {
  const named = await model({ latest: 2 });
  repository.listed.set(uri, [1, 2, 3, 4]);
  repository.stamps.set(uri, 'half');
  await clock.advance(5);
  repository.stamps.set(uri, 'whole');
  await clock.advance(5);
  expect(versions(named)).toEqual([2, 3]);
  const stop = uses.use(named.find({ version: '2' }));
  const open = engine.hold();
  await clock.advance(5);
  // Loading beside the two that serve.
  expect(versions(named)).toEqual([2, 3]);
  expect(named.entries().map(({ version, state }) => `${version} ${state}`)).toEqual([
    '2 READY',
    '3 READY',
    '4 LOADING',
  ]);
  open();
  await settled();
  expect(versions(named)).toEqual([3, 4]);
  expect(named.entries().map(({ version, state }) => `${version} ${state}`)).toContain('2 UNLOADING');
  stop();
  await settled();
  expect(engine.diary.at(-1)).toMatch(/^unload .*@2/);
  expect(named.entries().map(({ version, state }) => `${version} ${state}`)).toEqual(['3 READY', '4 READY']);
});

test('a version that fails leaves the others serving, and takes no place', async () => {
  const named = await model({ latest: 2 });
  repository.listed.set(uri, [1, 2, 3, 4]);
  repository.failures.set(`${uri}/4`, 'the directory is empty');
  await clock.advance(10);
  expect(versions(named)).toEqual([2, 3]);
  repository.failures.delete(`${uri}/4`);
  repository.stamps.set(uri, 'repaired');
  await clock.advance(15);
  expect(versions(named)).toEqual([3, 4]);
});

test('versions that go away are left once there are others', async () => {
  const named = await model({ all: true });
  repository.listed.set(uri, [3]);
  await clock.advance(5);
  expect(versions(named)).toEqual([3]);
  // An address that cannot be listed any more takes nothing away.
  repository.failures.set(uri, 'the volume is gone');
  await clock.advance(10);
  expect(versions(named)).toEqual([3]);
});

test('labels name versions', async () => {
  const named = await model({ latest: 1 }, { canary: 3, stable: 2 });
  expect(named.find({ label: 'canary' }).version).toBe(3);
  expect(() => named.find({ label: 'stable' })).toThrow(/Specific\(traffic, 2\); version 3 is served/);
  expect(() => named.find({ label: 'x' })).toThrow(/has no label "x"; its labels: "canary", "stable"/);
});

test('what cannot be listed is said, and looked at again', async () => {
  repository.failures.set(uri, 'there is no such volume');
  const named = await model({ all: true });
  expect(named.isReady).toBe(false);
  expect(named.entries()).toEqual([
    { name: 'traffic', state: 'UNAVAILABLE', reason: 'there is no such volume' },
  ]);
  repository.failures.delete(uri);
  await clock.advance(5);
  expect(versions(named)).toEqual([1, 2, 3]);
});

test('unloaded and loaded by request', async () => {
  const named = await model({ latest: 2 });
  await named.unload();
  expect(versions(named)).toEqual([]);
  expect(engine.diary.filter((line) => line.startsWith('unload'))).toHaveLength(2);
  expect(await named.load()).toBeUndefined();
  expect(versions(named)).toEqual([2, 3]);
  const ids = engine.diary.filter((line) => line.startsWith('load'));
  expect(new Set(ids).size).toBe(4);
});

describe('tells that it has started or cannot', () => {
  const heard = async (policy: VersionPolicy, release = () => {}) => {
    const told: boolean[] = [];
    const named = await model(policy, undefined, (starting) =>
      starting.onChange(() => told.push(starting.isStarting)),
    );
    expect(named.isStarting).toBe(told.at(-1) ?? true);
    release();
    await settled();
    return told;
  };

  test('with its first version', async () => {
    expect(await heard({ latest: 1 }, engine.hold())).toEqual([true, true, false]);
  });

  test('with its first failure', async () => {
    repository.failures.set(`${uri}/3`, 'the volume is empty');
    expect((await heard({ latest: 1 })).at(-1)).toBe(false);
  });

  test('where there is no version', async () => {
    repository.listed.set(uri, []);
    expect(await heard({ all: true })).toEqual([false]);
  });
});
