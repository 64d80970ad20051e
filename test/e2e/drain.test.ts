import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { city as sharedCity } from './city.ts';
import { trafficWhile } from './clients.ts';
import { ServedModel } from './served-model.ts';

describe('a replica that goes', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'drain');
    await traffic.apply({ replicas: 3 });
    await traffic.untilReady(3);
  });
  afterAll(async () => await traffic?.close());

  const untilGone = (...names: string[]) =>
    traffic.city.until(`${names.join(' and ')} are gone`, 120, async () =>
      (await traffic.pods()).every(({ name }) => !names.includes(name)),
    );

  test('loses no request when its pod is deleted, and is replaced', async () => {
    const [first] = await traffic.pods();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(50);
      await traffic.kubectl(['delete', 'pod', first!.name, '--wait=false']);
      await untilGone(first!.name);
      await traffic.untilReady(3);
      await untilAnswered(50);
    });
    expect(count.failures).toEqual([]);
    expect((await traffic.pods()).map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  });

  test('loses no request when the service is scaled down', async () => {
    const before = await traffic.pods();
    const count = await trafficWhile(traffic, async ({ untilAnswered }) => {
      await untilAnswered(50);
      await traffic.kubectl(['scale', 'ms/traffic', '--replicas=1']);
      await traffic.untilReady(1);
      await traffic.city.until('one pod is left', 120, async () => (await traffic.pods()).length === 1);
      await untilAnswered(50);
    });
    expect(count.failures).toEqual([]);
    const [left] = await traffic.pods();
    expect(before.map(({ uid }) => uid)).toContain(left?.uid);
    expect(left?.restarts).toBe(0);
  });
});
