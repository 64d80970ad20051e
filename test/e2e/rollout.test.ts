import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../crds/model-service.ts';
import { city as sharedCity } from './city.ts';
import { trafficWhile } from './clients.ts';
import { leaveFreeGpus } from './gpus.ts';
import { conditionOf, ServedModel } from './served-model.ts';
import { changesOf, watchWhile } from './watch.ts';

/** What the city offers to all other tests. */
const GPUS = 8;

describe('a change that needs new pods', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'rollout');
    await traffic.apply({ replicas: 2, gpu: { count: 1 } });
    await traffic.untilReady(2);
  });
  afterAll(async () => {
    await traffic?.city.advertiseGpus(GPUS);
    await traffic?.close();
  });

  const label = async (value: string) => await traffic.edit({ podTemplate: { labels: { release: value } } });
  const releases = async () => (await traffic.pods()).map(({ labels }) => labels['release']);
  const uids = async () => (await traffic.pods()).map(({ uid }) => uid);
  const rolledOut = async (release: string) => {
    await traffic.until(`release ${release} is rolled out`, 240, (status) => {
      return conditionOf(status, 'RolledOut')?.status === 'True' && status.readyReplicas === 2;
    });
    await traffic.city.until('no old pod is left', 120, async () => (await traffic.pods()).length === 2);
    expect(await releases()).toEqual([release, release]);
  };
  /** The ways in which it went: every reason of RolledOut while the work goes on, besides the end. */
  const ways = async (work: () => Promise<unknown>) => {
    const states = await watchWhile<ModelService>(traffic, ['modelservice', traffic.name], work);
    const reasons = states.map(({ status }) => status && conditionOf(status, 'RolledOut')?.reason);
    return changesOf(reasons.filter((reason) => reason !== 'UpToDate'));
  };

  test('starts new pods beside the old ones where a GPU is free, and loses no request', async () => {
    await leaveFreeGpus(traffic.city, 1);
    const before = await uids();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(20);
      expect(
        await ways(async () => {
          await label('one');
          await rolledOut('one');
        }),
      ).toEqual(['RolloutSurging']);
      await untilAnswered(20);
    });
    expect(count.failures).toEqual([]);
    expect((await uids()).filter((uid) => before.includes(uid))).toEqual([]);
  });

  test('goes pod by pod where no GPU is free, comes to its end, and loses no request', async () => {
    await leaveFreeGpus(traffic.city, 0);
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(20);
      expect(
        await ways(async () => {
          await label('two');
          await rolledOut('two');
        }),
      ).toEqual(['RolloutInPlace']);
      await untilAnswered(20);
    });
    expect(count.failures).toEqual([]);
  });

  test('can be a new model, with strategy Surge: waits for a GPU and says so, and loses no request', async () => {
    const before = await uids();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(20);
      await traffic.edit({ rollout: { strategy: 'Surge' }, model: { version: 2 } });
      const status = await traffic.until('it says what it waits for', 120, (seen) => {
        return conditionOf(seen, 'RolledOut')?.message.includes('nvidia.com/gpu') ?? false;
      });
      expect(conditionOf(status, 'Scheduled')).toMatchObject({ status: 'False', reason: 'InsufficientGPU' });
      expect(await uids()).toEqual(expect.arrayContaining(before));
      await traffic.city.advertiseGpus(GPUS);
      await rolledOut('two');
      await untilAnswered(20);
    });
    expect(count.failures).toEqual([]);
    expect(count.answers.size).toBe(2);
    expect((await traffic.get()).status?.model?.version).toBe('2');
    expect((await uids()).filter((uid) => before.includes(uid))).toEqual([]);
  });

  test('is held by strategy Reload, which says so, and let go by another', async () => {
    await traffic.edit({ rollout: { strategy: 'Reload' }, podTemplate: { labels: { release: 'three' } } });
    const before = await uids();
    const status = await traffic.until('it is held', 120, (seen) => {
      return conditionOf(seen, 'RolledOut')?.reason === 'RolloutHeld';
    });
    expect(conditionOf(status, 'RolledOut')).toMatchObject({
      status: 'False',
      message: expect.stringMatching(/^0 of 2 pods run the wanted template.*strategy is Reload/),
    });
    expect(conditionOf(status, 'Ready')?.status).toBe('True');
    // A model still changes in the pods that stay, also in those that were made for another one.
    await traffic.edit({ model: { version: 1 } });
    await traffic.until('version 1 is served', 120, ({ model, readyReplicas }) => {
      return model?.version === '1' && readyReplicas === 2;
    });
    expect(await uids()).toEqual(before);
    await traffic.edit({ rollout: { strategy: 'Auto' } });
    await rolledOut('three');
  });
});
