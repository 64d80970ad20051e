import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type ModelService, ModelServiceSpec } from '../../../crds/model-service.ts';
import { FLEET_KINDS, modelServices, writesFor } from '../../bench/fleet.ts';
import { between, work, writes } from '../../bench/operator-round.ts';
import { type Measured, operatorRows } from '../../bench/operator-rows.ts';
import type { Usage } from '../../bench/probe.ts';

const settings = {
  operatorNamespace: 'aicity-system',
  operatorPort: 9443,
  reportUrl: 'https://aicity-operator.aicity-system.svc/v1/reports',
  reportAuthorities: 'PEM',
  image: 'aicity/model-server:test',
  gpuImage: 'aicity/model-server-gpu:test',
  imagePullPolicy: 'IfNotPresent' as const,
  imagePullSecrets: [],
};

const usage = (requests: Usage['requests'], cpuSeconds = 0): Usage => ({
  cpuSeconds,
  residentBytes: 100 * 2 ** 20,
  peakResidentBytes: 200 * 2 ** 20,
  requests,
});

test('the bare client writes of a service what the operator would, and a status', () => {
  const [first] = modelServices(2, 'city');
  const { metadata, spec } = first!.object as unknown as ModelService;
  const stored: ModelService = {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'ModelService',
    metadata: { ...metadata, uid: 'u-1', generation: 1, creationTimestamp: '2026-01-31T00:00:00Z' },
    spec: ModelServiceSpec.parse(spec),
  };
  const { children, status } = writesFor(stored, settings);
  expect(children.map(({ resource }) => resource.kind)).toEqual(FLEET_KINDS);
  for (const { object } of children) expect(object.metadata.ownerReferences).toMatchObject([{ uid: 'u-1' }]);
  expect(status).toMatchObject({
    subresource: 'status',
    object: { metadata: { name: 'traffic-1', uid: 'u-1' }, status: { observedGeneration: 1 } },
  });
});

test('requests are told apart: heartbeats are no work, reads are no writes', () => {
  const before = usage({ 'GET pods': 1, 'PUT leases': 5 }, 1);
  const after = usage(
    { 'GET pods': 1, 'PUT leases': 9, 'PATCH deployments': 2, 'GET services': 3, 'WATCH pods': 1 },
    4,
  );
  const spent = between(before, after);
  expect(spent).toMatchObject({ cpuSeconds: 3 });
  expect(spent.requests).toEqual({
    'PUT leases': 4,
    'PATCH deployments': 2,
    'GET services': 3,
    'WATCH pods': 1,
  });
  expect([work(spent), writes(spent)]).toEqual([5, 2]);
});

test('the limit is the best of the bare rounds, figure by figure', () => {
  const round = (seconds: number, editMilliseconds: number[]) => ({
    childrenSeconds: seconds,
    statusesSeconds: seconds + 1,
    podsSeconds: 10 - seconds,
    apiServerSeconds: 2 * seconds,
    editMilliseconds,
  });
  const measured: Measured = {
    bare: [round(2, [30, 30]), round(3, [10, 50])],
    round: {
      ...round(6, [20, 40]),
      without: usage({}),
      converging: usage({}, 1),
      settling: usage({ 'PATCH deployments': 10, 'GET deployments': 10 }, 2),
      atRest: usage({ 'PUT leases': 30 }, 0.5),
    },
    peakResidentBytes: 300 * 2 ** 20,
    restart: {
      seconds: 4,
      usage: usage({ 'PATCH modelservices/status': 1, 'PUT leases': 1 }, 3),
      afterwards: usage({ 'PATCH modelservices/status': 2, 'POST events': 4 }),
    },
  };
  const rows = operatorRows(measured, { services: 5, edits: 2 });
  const figures = rows.map(({ ours, limit }) => [ours, limit]);
  expect(figures).toEqual([
    [6, 2],
    [7, 3],
    [4, 7],
    [20, 10],
    [40, 30],
    [2, 7],
    [4, 7],
    [12, 4],
    [1, undefined],
    [2, undefined],
    [0.5, undefined],
    [30, undefined],
    [100, undefined],
    [100, undefined],
    [300, undefined],
    [4, undefined],
    [3, undefined],
    [3, undefined],
  ]);
  expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length);
});

test('the probe counts the requests of the process that it is loaded into', async () => {
  const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/namespaces/a/pods/b`;
  const probe = join(import.meta.dirname, '../../bench/probe.ts');
  const program = `
    import { request } from 'undici';
    for (const method of ['GET', 'GET', 'DELETE']) await (await request('${url}', { method })).body.dump();
    process.send('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', probe, '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  expect(await once(child, 'message')).toEqual(['ready', undefined]);
  child.send('usage');
  const [usage] = (await once(child, 'message')) as [Usage];
  expect(usage.requests).toEqual({ 'GET pods': 2, 'DELETE pods': 1 });
  expect(usage.cpuSeconds).toBeGreaterThan(0);
  expect(usage.residentBytes).toBeGreaterThan(10 * 2 ** 20);
  child.kill();
  server.close();
});
