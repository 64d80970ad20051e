import { describe, expect, test } from '@jest/globals';
import { Stage } from '../../../examples/demo/stage.ts';
import { isReady, TrafficService } from '../../../examples/demo/traffic-service.ts';

function quietStage(): { stage: Stage; printed: string[] } {
  const printed: string[] = [];
  return { stage: new Stage((line) => printed.push(line)), printed };
}

describe('a claim', () => {
  test('that holds is shown at once and in the summary', () => {
    const { stage, printed } = quietStage();
    stage.claim('it serves', true, '3 of 3');
    stage.summary();
    expect(printed.filter((line) => line.includes('it serves'))).toHaveLength(2);
  });

  test('that does not hold ends the demo, with what was seen', () => {
    const { stage, printed } = quietStage();
    expect(() => stage.claim('it serves', false, '2 of 3')).toThrow('not so: "it serves" (2 of 3)');
    expect(printed).toEqual([]);
  });
});

/** A cluster that remembers what was applied and answers the rest from a list. */
function fakeCity(answers: unknown[] = []) {
  const applied: string[] = [];
  const kubectl = async (args: string[], input?: string) => {
    if (!args.includes('apply')) return JSON.stringify(answers.length > 1 ? answers.shift() : answers[0]);
    applied.push(input ?? '');
    return '';
  };
  return { applied, kubectl };
}

const service = (generation: number, observedGeneration: number, status: object = {}) => ({
  metadata: { generation },
  status: {
    observedGeneration,
    replicas: 1,
    readyReplicas: 1,
    conditions: [{ type: 'Ready', status: 'True', reason: 'Serving', message: '1 replica serves' }],
    ...status,
  },
});

describe('the traffic service', () => {
  test('is edited as a person edits the manifest: one number on one line', async () => {
    const city = fakeCity();
    const { stage, printed } = quietStage();
    const traffic = new TrafficService({ hub: city, cities: new Map() }, stage);
    await traffic.apply();
    await traffic.edit('replicas', 5);
    await traffic.edit('version', 2);
    const [first = '', , last = ''] = city.applied;
    const changed = first.split('\n').filter((line, index) => line !== last.split('\n')[index]);
    expect(changed).toEqual(['    version: 1', '  replicas: 3']);
    expect(last).toContain('\n  replicas: 5\n');
    expect(last).toContain('\n    version: 2\n');
    expect(printed.join('\n')).toContain('+   replicas: 5');
  });

  test('is not ready by a status of an earlier spec', async () => {
    const seen = [service(2, 1), service(2, 2)];
    const traffic = new TrafficService({ hub: fakeCity(seen), cities: new Map() }, quietStage().stage);
    const found = await traffic.until('ready', 30, (each) => isReady(each, 1));
    expect(found.status?.observedGeneration).toBe(2);
  });

  test('is not ready while pods are left over', () => {
    const ready = service(1, 1) as unknown as Parameters<typeof isReady>[0];
    const leftOver = service(1, 1, { replicas: 2 }) as unknown as Parameters<typeof isReady>[0];
    expect(isReady(ready, 1)).toBe(true);
    expect(isReady(leftOver, 1)).toBe(false);
  });

  test('has pods, without those on their way out', async () => {
    const pod = (name: string, more: object = {}) => ({
      metadata: { name, uid: name, ...more },
      spec: { containers: [{ resources: { limits: { 'nvidia.com/gpu': '1' } } }] },
      status: { containerStatuses: [{ restartCount: 2 }] },
    });
    const items = [pod('b'), pod('a'), pod('c', { deletionTimestamp: '2026-01-01T00:00:00Z' })];
    const cities = new Map([
      ['porto', fakeCity([{ items }])],
      ['faro', fakeCity([{ items: [] }])],
    ]);
    const traffic = new TrafficService({ hub: fakeCity(), cities }, quietStage().stage);
    expect(await traffic.pods()).toEqual([
      { city: 'porto', name: 'a', uid: 'a', restarts: 2, gpus: 1 },
      { city: 'porto', name: 'b', uid: 'b', restarts: 2, gpus: 1 },
    ]);
  });
});
