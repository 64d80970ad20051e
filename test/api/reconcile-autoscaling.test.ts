import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resourcePath, resources } from '../../operator/kube/resources.ts';
import { cluster } from './cluster.ts';
import { TestOperator } from './operator-in.ts';

const spec = { model: { uri: 'https://models.example/traffic' }, replicas: 3, gpu: { count: 0 } };
const autoscaling = { maxReplicas: 8 };

let operator: TestOperator;
beforeAll(async () => {
  operator = await TestOperator.start(await cluster(), 'autoscaling');
});
afterAll(() => operator?.stop());

/** Records every number of replicas that a Deployment has from now on, also for the moment between two writes. */
async function recordReplicas(name: string) {
  const seen: number[] = [];
  const versions = new Set<string | undefined>();
  const stop = new AbortController();
  const open = Promise.withResolvers<void>();
  const watching = (async () => {
    try {
      const events = operator.client.watch<UntypedObject>(resources.Deployment, {
        namespace: operator.namespace,
        fieldSelector: `metadata.name=${name}`,
        sendInitialEvents: true,
        onOpen: open.resolve,
        signal: stop.signal,
      });
      for await (const { object, type } of events) {
        if (type === 'BOOKMARK' || type === 'ERROR') continue; // not a Deployment that anybody has
        versions.add(object.metadata.resourceVersion);
        const { replicas } = (object['spec'] ?? {}) as { replicas?: number };
        if (replicas !== undefined && replicas !== seen.at(-1)) seen.push(replicas);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  })();
  await open.promise;
  return {
    async end() {
      const { metadata } = await operator.get(resources.Deployment, name);
      await operator.until('the watch has told of the last write', async () =>
        versions.has(metadata.resourceVersion),
      );
      stop.abort();
      await watching;
      return seen;
    },
  };
}

/** As the autoscaler does: an update through the scale subresource. */
async function scale(name: string, replicas: number): Promise<void> {
  const path = `${resourcePath(resources.Deployment, { namespace: operator.namespace, name })}/scale`;
  const contentType = 'application/merge-patch+json';
  await operator.client.request({ method: 'PATCH', path, contentType, body: { spec: { replicas } } });
}

const reasonOfScaled = async (name: string) => (await operator.condition(name, 'Scaled'))?.reason;
const floorOf = async (name: string) =>
  (await operator.get(resources.Deployment, name)).metadata.annotations?.['aicity.io/autoscaling-floor'];
/** The status says what is decided; the write is tried again when the Deployment has changed meanwhile. */
const untilNoFloor = async (name: string) =>
  await operator.until(`${name} has no floor`, async () => (await floorOf(name)) === undefined);

test('turning autoscaling on and off never changes the number of replicas by itself', async () => {
  await operator.applyService('traffic', spec);
  await operator.untilReason('traffic', 'Ready', 'PodsStarting');
  const record = await recordReplicas('traffic');

  await operator.applyService('traffic', { ...spec, autoscaling });
  await operator.until('the autoscaler is there', () =>
    operator.exists(resources.HorizontalPodAutoscaler, 'traffic'),
  );
  expect(await floorOf('traffic')).toBe('3');

  await scale('traffic', 6);
  operator.lookAtAll();
  await operator.applyService('traffic', { ...spec, autoscaling: { maxReplicas: 9 } });
  await operator.until('the ceiling has moved', async () =>
    JSON.stringify(await operator.get(resources.HorizontalPodAutoscaler, 'traffic')).includes(
      '"maxReplicas":9',
    ),
  );

  await operator.applyService('traffic', spec);
  await operator.until('the last number is held', async () => {
    const { reason, message } = (await operator.condition('traffic', 'Scaled'))!;
    return reason === 'HeldFromAutoscaling' && message.includes('removed at 6 replicas');
  });
  await operator.until('the autoscaler is gone', async () => {
    return !(await operator.exists(resources.HorizontalPodAutoscaler, 'traffic'));
  });
  operator.lookAtAll();

  // On again and off again while held.
  await operator.applyService('traffic', { ...spec, autoscaling });
  await operator.until('the autoscaler is back', () =>
    operator.exists(resources.HorizontalPodAutoscaler, 'traffic'),
  );
  await operator.applyService('traffic', spec);
  await operator.untilReason('traffic', 'Scaled', 'HeldFromAutoscaling');
  expect(await operator.status('traffic')).toMatchObject({ readyOfWanted: '0/6' });

  await operator.applyService('traffic', { ...spec, replicas: 2 });
  await operator.untilReason('traffic', 'Scaled', 'FixedReplicas');
  await untilNoFloor('traffic');
  expect(await record.end()).toEqual([3, 6, 2]);
});

test('however the autoscaler and a person interleave, every number was asked for by one of them', async () => {
  await operator.applyService('race', spec);
  await operator.untilReason('race', 'Ready', 'PodsStarting');
  const record = await recordReplicas('race');
  const asked = new Set([3]);
  for (let round = 0; round < 12; round += 1) {
    await operator.applyService('race', { ...spec, autoscaling });
    // From far too early to at rest, however slow the machine is.
    if (round < 8) {
      await new Promise((later) => setTimeout(later, round * 40));
    } else {
      await operator.until('the autoscaler is there', () =>
        operator.exists(resources.HorizontalPodAutoscaler, 'race'),
      );
    }
    const autoscalerWrites = [];
    if (await operator.exists(resources.HorizontalPodAutoscaler, 'race')) {
      const replicas = 4 + (round % 5);
      asked.add(replicas);
      autoscalerWrites.push(scale('race', replicas));
    }
    await Promise.all([...autoscalerWrites, operator.applyService('race', spec)]);
    operator.lookAtAll();
  }
  await operator.until('it is at rest', async () => {
    const { metadata } = await operator.get(resources.ModelService, 'race');
    const { observedGeneration } = await operator.status('race');
    return (
      metadata.generation === observedGeneration &&
      !(await operator.exists(resources.HorizontalPodAutoscaler, 'race'))
    );
  });
  const seen = await record.end();
  expect(asked.size).toBeGreaterThan(2);
  expect(seen.filter((replicas) => !asked.has(replicas))).toEqual([]);
});

test('once spec.replicas decides again, an edit by hand of the Deployment is set back', async () => {
  await operator.kubectl('scale', 'deployment/traffic', '--replicas=7');
  await operator.until('it is 2 again', async () => {
    const { spec } = await operator.get<{ spec: { replicas: number } }>(resources.Deployment, 'traffic');
    return spec.replicas === 2;
  });
});

test('a service that is made with autoscaling starts at its floor and stays there', async () => {
  const record = await recordReplicas('new');
  await operator.applyService('new', { ...spec, replicas: 2, autoscaling });
  await operator.until('the autoscaler is there', () =>
    operator.exists(resources.HorizontalPodAutoscaler, 'new'),
  );
  operator.lookAtAll();
  await operator.until(
    'status knows the autoscaler',
    async () => (await reasonOfScaled('new')) !== 'FixedReplicas',
  );
  expect(await record.end()).toEqual([2]);
});

test('at the floor, turning it off leaves nothing to hold', async () => {
  await operator.applyService('new', { ...spec, replicas: 2 });
  await operator.untilReason('new', 'Scaled', 'FixedReplicas');
  await untilNoFloor('new');
});

test('a raised floor is reached at once', async () => {
  await operator.applyService('floor', { ...spec, replicas: 1, autoscaling });
  await operator.until('the autoscaler is there', () =>
    operator.exists(resources.HorizontalPodAutoscaler, 'floor'),
  );
  await operator.applyService('floor', { ...spec, replicas: 4, autoscaling });
  await operator.until('the floor is reached', async () => {
    const { spec } = await operator.get<{ spec: { replicas: number } }>(resources.Deployment, 'floor');
    return spec.replicas === 4;
  });
});

test('where another adapter serves the custom metrics, CPU stands in and Scaled says so', async () => {
  operator.customMetrics.owner = { kind: 'Other', owner: 'monitoring/prometheus-adapter' };
  await operator.applyService('other', { ...spec, autoscaling });
  await operator.until('the autoscaler asks for CPU', async () => {
    return (
      (await operator.exists(resources.HorizontalPodAutoscaler, 'other')) &&
      JSON.stringify(await operator.get(resources.HorizontalPodAutoscaler, 'other')).includes(
        '"averageUtilization":70',
      )
    );
  });
  operator.customMetrics.owner = { kind: 'Ours' };
  operator.lookAtAll();
  await operator.until('it asks for the reported load again', async () =>
    JSON.stringify(await operator.get(resources.HorizontalPodAutoscaler, 'other')).includes('aicity_load'),
  );
});
