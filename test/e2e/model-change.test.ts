import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { city as sharedCity } from './city.ts';
import { type Count, trafficWhile } from './clients.ts';
import { ModelVolume } from './model-volume.ts';
import { conditionOf, ServedModel } from './served-model.ts';

describe('a model that changes', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'change');
    await traffic.apply({ replicas: 2 });
    await traffic.untilReady(2);
  });
  afterAll(async () => await traffic?.close());

  const serves = async (version: string) =>
    await traffic.until(`version ${version} is served by 2 replicas`, 120, ({ model, readyReplicas }) => {
      return model?.version === version && readyReplicas === 2;
    });
  /** What the service says about the first hour, asked once. */
  const answer = async () =>
    firstAnswer(await trafficWhile(traffic, ({ untilAnswered }) => untilAnswered(1)));

  test('is swapped in the same pods without a failed request', async () => {
    const pods = await traffic.pods();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(50);
      await traffic.edit({ model: { version: 2 } });
      const { model } = await serves('2');
      expect(model?.digest).toMatch(/^sha256:/);
      await untilAnswered(50);
    });
    expect({ failures: count.failures, pods: await traffic.pods() }).toEqual({ failures: [], pods });
    // Every answer came whole from one of two models, and the last ones came from the new one.
    expect(count.answers.size).toBe(2);
    expect([...count.answers.keys()][1]).toBe(await answer());
  });

  test('goes on with what it serves when the wanted version is not there, and says so', async () => {
    const pods = await traffic.pods();
    const expected = await answer();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await traffic.edit({ model: { version: 99 } });
      const status = await traffic.until('both replicas say what is wrong', 120, (seen) => {
        return /^2 of 2 replicas cannot /.test(conditionOf(seen, 'ModelAvailable')?.message ?? '');
      });
      expect(conditionOf(status, 'ModelAvailable')).toMatchObject({
        status: 'False',
        reason: 'VersionNotFound',
        message: expect.stringMatching(
          /cannot serve spec.model.uri http:.*99.*2 replicas still serve the earlier model/,
        ),
      });
      expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'False', reason: 'VersionNotFound' });
      await untilAnswered(50);
      await traffic.edit({ model: { version: 2 } });
      await traffic.untilReady(2);
    });
    expect({ failures: count.failures, pods: await traffic.pods() }).toEqual({ failures: [], pods });
    expect([...count.answers.keys()]).toEqual([expected]);
  });

  test('is served in another way without a new pod', async () => {
    const pods = await traffic.pods();
    // Where a batch may wait to fill up, a request that is alone waits the whole time.
    await traffic.edit({ serving: { maxDelayMilliseconds: 700 } });
    await traffic.city.until('a lonely request waits for others', 60, async () => {
      const startedAt = performance.now();
      await answer();
      return performance.now() - startedAt >= 690;
    });
    expect(await traffic.pods()).toEqual(pods);
  });
});

describe('a model on a volume', () => {
  let traffic: ServedModel;
  let plus: ServedModel;
  let volume: ModelVolume;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'volume');
    plus = await ServedModel.inNamespace(city, traffic.namespace, 'plus');
    volume = await ModelVolume.open(traffic, 'models');
    await volume.add('examples/traffic/models/1', 'traffic/1');
    await volume.add('test/fixtures/models/plus', 'plus');
  });
  afterAll(async () => {
    await traffic?.close();
    await volume?.close();
  });

  test('is the highest of its version directories, and follows a new one', async () => {
    await traffic.apply({ model: { uri: 'pvc://models/traffic' } });
    expect(await traffic.untilReady(1)).toMatchObject({ model: { version: '1', format: 'TFJSLayers' } });
    const pods = await traffic.pods();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(10);
      await volume.add('examples/traffic/models/2', 'traffic/2');
      await traffic.until('version 2 is served', 120, ({ model }) => model?.version === '2');
      await untilAnswered(10);
    });
    expect({ failures: count.failures, pods: await traffic.pods() }).toEqual({ failures: [], pods });
    expect(count.answers.size).toBe(2);
  });

  test('can be a SavedModel', async () => {
    await plus.apply({ model: { uri: 'pvc://models/plus' }, gpu: { count: 0 } });
    expect(await plus.untilReady(1)).toMatchObject({ model: { format: 'SavedModel' } });
    const body = JSON.stringify({ instances: [1, 2, 5] });
    const response = await fetch(`${plus.url}/v1/models/plus:predict`, { method: 'POST', body });
    expect(await response.json()).toEqual({ predictions: [2.5, 3, 4.5] }); // x / 2 + 2
  });

  test('that lies elsewhere is told in a sentence with what is there', async () => {
    await plus.edit({ model: { uri: 'pvc://models/minus' } });
    const status = await plus.until('the sentence', 120, (seen) => {
      return conditionOf(seen, 'ModelAvailable')?.reason === 'SourceNotFound';
    });
    expect(conditionOf(status, 'ModelAvailable')?.message).toMatch(
      /pvc:\/\/models\/minus.*"plus", "traffic"/,
    );
    const body = JSON.stringify({ instances: [1] });
    const response = await fetch(`${plus.url}/v1/models/plus:predict`, { method: 'POST', body });
    expect(await response.json()).toEqual({ predictions: [2.5] });
  });
});

function firstAnswer({ answers, failures }: Count): number {
  expect(failures).toEqual([]);
  const [first] = answers.keys();
  expect(first).toBeGreaterThan(0);
  return first!;
}
