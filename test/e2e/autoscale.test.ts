import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ModelServiceStatus } from '../../crds/model-service.ts';
import { city as sharedCity } from './city.ts';
import { trafficWhile } from './clients.ts';
import { conditionOf, ServedModel } from './served-model.ts';

interface Autoscaler {
  status?: { currentMetrics?: CurrentMetric[] };
}
interface CurrentMetric {
  type: string;
  pods?: { metric: { name: string }; current: { averageValue?: string } };
  resource?: { name: string; current: { averageUtilization?: number } };
}

/** Far from idle, where only probes and reports are busy, and far from full: the clients run on the same cores. */
const TARGET_PERCENT = 10;
const behavior = {
  scaleUp: { policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }] },
  scaleDown: { stabilizationWindowSeconds: 10 },
};

describe('autoscaling', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'autoscale');
    const metrics = [{ type: 'Load', targetPercent: TARGET_PERCENT }];
    await traffic.apply({ autoscaling: { maxReplicas: 3, metrics, behavior } });
    await traffic.untilReady(1);
  });
  afterAll(async () => await traffic?.close());

  const currentMetrics = async () => {
    const autoscaler = JSON.parse(
      await traffic.kubectl(['get', 'hpa', 'traffic', '-o', 'json']),
    ) as Autoscaler;
    return autoscaler.status?.currentMetrics ?? [];
  };

  test('follows the reported load: from 1 to 3 while clients ask, and back to 1 when they stop', async () => {
    const busy: ModelServiceStatus[] = [];
    const count = await trafficWhile(
      traffic,
      async () => {
        await traffic.until(
          'the load is over its target',
          120,
          ({ load }) => (load?.busyPercent ?? 0) > TARGET_PERCENT,
        );
        busy.push(
          await traffic.until('3 replicas share the load', 180, (status) => {
            const { load, readyOfWanted, replicas } = status;
            const isAutoscaled = conditionOf(status, 'Scaled')?.reason === 'Autoscaled';
            const isShared = load?.reportingReplicas === 3 && (load.busyPercent ?? 0) > 0;
            const isAsked = (load?.requestsPerSecond ?? 0) > 0;
            return replicas === 3 && readyOfWanted === '3/3' && isShared && isAsked && isAutoscaled;
          }),
        );
        // A look of the autoscaler that failed takes its figures away until the next one.
        await traffic.city.until('the autoscaler has a figure of the load', 60, async () => {
          const [metric] = await currentMetrics();
          const isLoad = metric?.type === 'Pods' && metric.pods?.metric.name === 'aicity_load';
          return isLoad && Number.parseFloat(metric?.pods?.current.averageValue ?? '0') > 0;
        });
      },
      { clients: 8, rows: 168 },
    );
    expect(count.failures).toEqual([]);
    const [status] = busy;
    expect(conditionOf(status!, 'Scaled')).toMatchObject({
      status: 'True',
      reason: 'Autoscaled',
      message: expect.stringContaining('between 1 and 3'),
    });
    await traffic.untilReady(1, 180);
    await traffic.until('the load is gone', 120, ({ load }) => {
      return load?.requestsPerSecond === 0 && (load.busyPercent ?? TARGET_PERCENT) < TARGET_PERCENT;
    });
  });

  test('follows CPU, which metrics-server measures', async () => {
    const metrics = [{ type: 'CPU', targetPercent: 900 }];
    await traffic.edit({ autoscaling: { metrics } });
    await traffic.city.until('the autoscaler has a CPU figure', 180, async () => {
      const [metric] = await currentMetrics();
      return metric?.resource?.name === 'cpu' && metric.resource.current.averageUtilization !== undefined;
    });
    await traffic.until('the status says so', 60, (status) => {
      return conditionOf(status, 'Scaled')?.reason === 'Autoscaled';
    });
  });
});
