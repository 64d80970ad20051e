import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ModelService } from '../../crds/model-service.ts';
import { city as sharedCity } from './city.ts';
import { conditionOf, ServedModel } from './served-model.ts';
import { changesOf, watchWhile } from './watch.ts';

interface Deployment {
  spec: { replicas: number };
}

describe('the number of replicas', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'scale');
    await traffic.apply();
    await traffic.untilReady(1);
  });
  afterAll(async () => await traffic?.close());

  const exists = async (object: string) =>
    (await traffic.kubectl(['get', object, '--ignore-not-found', '-o', 'name'])) !== '';
  /** A removal that comes too early by what was seen is done at the next look, after the status has told of it. */
  const untilRemoved = (object: string) =>
    traffic.city.until(`${object} is removed`, 60, async () => !(await exists(object)));
  /** Without those that an earlier change has sent on their way out. */
  const uids = async () => (await traffic.pods()).flatMap(({ uid, ending }) => (ending ? [] : [uid])).sort();
  const scaled = async (reason: string, message: RegExp) => {
    const status = await traffic.until(`Scaled says ${reason}`, 120, (seen) => {
      return conditionOf(seen, 'Scaled')?.reason === reason;
    });
    expect(conditionOf(status, 'Scaled')?.message).toMatch(message);
  };
  /** Every `spec.replicas` that the Deployment has while the work goes on. */
  const counts = async (work: () => Promise<unknown>) => {
    const states = await watchWhile<Deployment>(traffic, ['deployment', traffic.name], work);
    return changesOf(states.map(({ spec }) => spec.replicas));
  };

  test('follows spec.replicas, and a budget guards more than one', async () => {
    const [original] = await uids();
    expect(await exists('pdb/traffic')).toBe(false);
    await traffic.edit({ replicas: 3 });
    await traffic.untilReady(3);
    expect(await uids()).toHaveLength(3);
    expect(await uids()).toContain(original);
    await traffic.city.until('the budget allows one disruption', 60, async () => {
      const path = 'jsonpath={.spec.maxUnavailable} {.status.disruptionsAllowed}';
      return (await traffic.kubectl(['get', 'pdb', 'traffic', '-o', path])) === '1 1';
    });
  });

  test('follows kubectl scale', async () => {
    await traffic.kubectl(['scale', 'ms/traffic', '--replicas=2']);
    await traffic.untilReady(2);
    expect((await traffic.get()).spec.replicas).toBe(2);
    const path = 'jsonpath={.spec.replicas} {.status.replicas}';
    const scale = ['get', 'ms', 'traffic', '--subresource=scale', '-o', path];
    expect(await traffic.kubectl(scale)).toBe('2 2');
  });

  test('does not change when autoscaling comes, and not when it goes', async () => {
    const before = await uids();
    const states = await counts(async () => {
      await traffic.edit({ autoscaling: { maxReplicas: 4 } });
      await scaled('Autoscaled', /between 2 and 4/);
      await traffic.edit({ autoscaling: null });
      await scaled('FixedReplicas', /^spec.replicas is 2$/);
      await untilRemoved('hpa/traffic');
    });
    expect({ states, pods: await uids() }).toEqual({ states: [2], pods: before });
  });

  test('stays where the autoscaler left it, until somebody edits it', async () => {
    // Nobody asks, so only a rule keeps the autoscaler from going back to the floor.
    const behavior = { scaleDown: { selectPolicy: 'Disabled' } };
    await traffic.edit({ autoscaling: { maxReplicas: 4, behavior } });
    await scaled('Autoscaled', /between 2 and 4/);
    await traffic.kubectl(['scale', 'deployment/traffic', '--replicas=3']); // as an autoscaler does
    await traffic.untilReady(3);
    const before = await uids();

    const removal = await counts(async () => {
      await traffic.edit({ autoscaling: null });
      await scaled('HeldFromAutoscaling', /removed at 3 replicas, which stay until spec.replicas is edited/);
    });
    const takingOver = await counts(async () => {
      await traffic.edit({ replicas: 3 });
      await scaled('FixedReplicas', /^spec.replicas is 3$/);
    });
    expect({ removal, takingOver, pods: await uids() }).toEqual({
      removal: [3],
      takingOver: [3],
      pods: before,
    });
  });

  test('goes to zero and comes back', async () => {
    await traffic.edit({ replicas: 0 });
    const states = await watchWhile<ModelService>(traffic, ['modelservice', 'traffic'], async () => {
      const none = await traffic.untilReady(0);
      expect(conditionOf(none, 'Ready')?.reason).toBe('ScaledToZero');
    });
    expect(states.at(-1)?.status?.readyOfWanted).toBe('0/0');
    await traffic.city.until('no pod is left', 120, async () => (await traffic.pods()).length === 0);
    await untilRemoved('pdb/traffic');
    await traffic.kubectl(['scale', 'ms/traffic', '--replicas=1']);
    expect(await traffic.untilReady(1)).toMatchObject({ readyOfWanted: '1/1', model: { version: '1' } });
  });
});
