import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { Stage } from '../../../examples/demo/stage.ts';
import { rounded, SteadyLoad } from '../../../examples/demo/steady-load.ts';
import { isReady, TrafficService } from '../../../examples/demo/traffic-service.ts';
import { readObservations } from '../../../examples/traffic/dataset.ts';
import { casesOf, heldOut } from '../../../examples/traffic/releases.ts';

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
    const traffic = new TrafficService(city, stage);
    await traffic.apply();
    await traffic.edit('replicas', 3);
    await traffic.edit('version', 2);
    const [first = '', , last = ''] = city.applied;
    const changed = first.split('\n').filter((line, index) => line !== last.split('\n')[index]);
    expect(changed).toEqual(['    version: 1', '  replicas: 1']);
    expect(last).toContain('\n  replicas: 3\n');
    expect(last).toContain('\n    version: 2\n');
    expect(printed.join('\n')).toContain('+   replicas: 3');
  });

  test('is not ready by a status of an earlier spec', async () => {
    const seen = [service(2, 1), service(2, 2)];
    const traffic = new TrafficService(fakeCity(seen), quietStage().stage);
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
    const traffic = new TrafficService(fakeCity([{ items }]), quietStage().stage);
    expect(await traffic.pods()).toEqual([
      { name: 'a', uid: 'a', restarts: 2, gpus: 1 },
      { name: 'b', uid: 'b', restarts: 2, gpus: 1 },
    ]);
  });
});

test('steady load counts every answer and every failure, and lets no request go missing', async () => {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    asked++;
    if (asked % 3 === 0) response.writeHead(503).end('{"error":"draining"}');
    else response.end(`{"predictions":[[${asked % 2}.504]]}`);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cases = heldOut(casesOf(readObservations())).slice(0, 1);
  const load = new SteadyLoad(
    { url, model: 'traffic', protocol: 'tfs', timeoutSeconds: 10 },
    { clients: 3, pauseMilliseconds: 1, cases },
  );
  while (load.answered < 20) await new Promise((later) => setTimeout(later, 5));
  const { answered, failures, answers } = await load.stop();
  server.close();
  expect(answered + failures.length).toBe(asked);
  expect(failures.length).toBe(Math.floor(asked / 3));
  expect(failures[0]).toContain('503: {"error":"draining"}');
  expect([...answers.keys()].sort()).toEqual([rounded(0.504), rounded(1.504)]);
});
