import { beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Serving } from '../../../../crds/model-service.ts';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import { LoadTurns } from '../../../../model-server/serve/load-turns.ts';
import { ModelCatalog } from '../../../../model-server/serve/model-catalog.ts';
import { ModelUses } from '../../../../model-server/serve/model-uses.ts';
import { NamedModel } from '../../../../model-server/serve/named-model.ts';
import { settled, TestClock } from '../clock.ts';
import { DiaryEngine, ListedRepository } from './diary.ts';

let engine: DiaryEngine;
let repository: ListedRepository;
let uses: ModelUses;
let named: NamedModel[];
let kept: string[];

const assignment = (name: string) => ({
  ...{ revision: name, model: { uri: `pvc://${name}` }, serving: Serving.parse({}) },
});

function catalog(names: readonly string[], isManaged = false, assigned = names): ModelCatalog {
  const turns = new LoadTurns(() => {
    kept = named.flatMap(({ digests }) => digests);
  });
  named = names.map(
    (name) =>
      new NamedModel({
        ...{ name, engine, repository, uses, turns, clock: new TestClock() },
        serving: Serving.parse({}),
        metrics: { loadSucceeded: () => {}, loadFailed: () => {} },
        recordedRequests: async () => [],
        events: { batchFinished: () => {}, requestStarted: () => {}, requestExpired: () => {} },
        log: pino({ level: 'silent' }),
      }),
  );
  const models = new ModelCatalog({ models: named, uses, isManaged });
  for (const name of assigned) models.get(name).assign(assignment(name));
  return models;
}

beforeEach(() => {
  [engine, repository, uses] = [new DiaryEngine(), new ListedRepository(), new ModelUses()];
});

test('several models are found by name, and the cache keeps them all', async () => {
  const models = catalog(['air', 'traffic']);
  await settled();
  expect(models.isReady).toBe(true);
  expect([models.find('air').name, models.find('traffic', { version: '1' }).name]).toEqual([
    'air',
    'traffic',
  ]);
  expect(models.entries()).toEqual([
    { name: 'air', version: '1', state: 'READY', reason: '' },
    { name: 'traffic', version: '1', state: 'READY', reason: '' },
  ]);
  expect(named.flatMap(({ served }) => served).map(({ residentBytes }) => residentBytes)).toEqual([100, 100]);
  expect(kept).toEqual([models.find('air').digest, models.find('traffic').digest]);
  expect(() => models.find('noise')).toThrow(/Latest\(noise\); this server serves "air", "traffic"/);
});

test('one that fails is named, and the others serve', async () => {
  repository.failures.set('pvc://traffic', 'the volume is empty');
  const models = catalog(['air', 'traffic']);
  await settled();
  expect(models.isReady).toBe(false);
  expect(models.whyNotReady()).toBe('traffic: it cannot be loaded: the volume is empty');
  expect(models.entries('traffic')).toEqual([
    {
      name: 'traffic',
      state: 'UNAVAILABLE',
      reason: 'it cannot be loaded: the volume is empty',
    },
  ]);
  expect(models.find('air').name).toBe('air');
});

test('unloading waits for the last answer, loading for the first', async () => {
  const models = catalog(['air', 'traffic']);
  await settled();
  const stop = models.use(models.find('air'));
  let isUnloaded = false;
  const unloading = models.unload('air').then(() => {
    isUnloaded = true;
  });
  await settled();
  expect(() => models.find('air')).toThrow(/air is not ready: it was unloaded by request/);
  expect(models.entries('air').map(({ state }) => state)).toEqual(['UNAVAILABLE', 'UNLOADING']);
  expect(isUnloaded).toBe(false);
  stop();
  await unloading;
  expect(engine.diary.at(-1)).toBe('unload air:air@1#1');
  // What a client has unloaded is missed by nobody.
  expect(models.isReady).toBe(true);
  await models.load('air');
  expect(models.find('air').id).toBe('air:air@1#2');
});

test('a load of what serves is a fresh one beside it, and says why it fails', async () => {
  const models = catalog(['air']);
  await settled();
  await models.load('air');
  expect(engine.diary.filter((line) => line.includes('load'))).toEqual([
    'load air:air@1#1',
    'load air:air@1#2',
    'unload air:air@1#1',
  ]);
  engine.loadFailure = new EngineError('InvalidArgument', 'no graph');
  repository.stamps.set('pvc://air', 'other');
  await expect(models.load('air')).rejects.toThrow('failed to load air: no graph (ModelInvalid)');
  expect(models.find('air').id).toBe('air:air@1#2');
});

test('the engine takes one load at a time, and none before the replaced model is gone', async () => {
  const models = catalog(['air', 'traffic']);
  await settled();
  const stop = models.use(models.find('air'));
  const [first, second] = [models.load('air'), models.load('traffic')];
  await first;
  await settled();
  expect(engine.diary.at(-1)).toBe('run air:air@1#2 32');
  stop();
  await second;
  expect(engine.diary.filter((line) => line.includes('load'))).toEqual([
    'load air:air@1#1',
    'load traffic:traffic@1#1',
    'load air:air@1#2',
    'unload air:air@1#1',
    'load traffic:traffic@1#2',
    'unload traffic:traffic@1#1',
  ]);
});

test('under an operator clients load and unload nothing', async () => {
  const models = catalog(['air'], true);
  await settled();
  await expect(models.load('air')).rejects.toThrow(/load is not taken from clients: .* ModelService air/);
  await expect(models.unload('air')).rejects.toThrow(/unload is not taken from clients/);
  expect(models.isReady).toBe(true);
});

describe('has started', () => {
  test('when every model is ready', async () => {
    const open = engine.hold();
    const models = catalog(['air', 'traffic']);
    await settled();
    expect(models.started.aborted).toBe(false);
    open();
    await settled();
    expect(models.started.aborted).toBe(true);
    expect(models.isReady).toBe(true);
  });

  test('when one has failed, while others load', async () => {
    engine.hold();
    repository.failures.set('pvc://traffic', 'the volume is empty');
    const models = catalog(['air', 'traffic']);
    await settled();
    expect(models.started.aborted).toBe(true);
  });

  test('when it is to end', async () => {
    engine.hold();
    const models = catalog(['air']);
    await settled();
    models.drain();
    expect(models.started.aborted).toBe(true);
  });

  test('when the engine has died', async () => {
    engine.hold();
    const models = catalog(['air']);
    await settled();
    engine.die(new EngineError('Unavailable', 'the engine crashed'));
    await settled();
    expect(models.started.aborted).toBe(true);
  });

  test('when a client has unloaded what was missing', async () => {
    engine.hold();
    const models = catalog(['air', 'traffic']);
    await settled();
    void models.unload('air');
    expect(models.started.aborted).toBe(false);
    void models.unload('traffic');
    expect(models.started.aborted).toBe(true);
  });

  test('not before an operator has said what is to be served', async () => {
    const models = catalog(['air'], true, []);
    await settled();
    expect(models.started.aborted).toBe(false);
    models.get('air').assign(assignment('air'));
    await settled();
    expect(models.started.aborted).toBe(true);
  });
});
