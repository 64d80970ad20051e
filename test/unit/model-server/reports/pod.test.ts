/** The server as in a pod: assignment from a file and from the replies of an operator, reports over TLS. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { LoadReport } from '../../../../crds/load-report.ts';
import { Serving } from '../../../../crds/model-service.ts';
import { type ModelAssignment, POD_ENV } from '../../../../crds/pod-contract.ts';
import { issueServing, makeAuthority } from '../../../../operator/certificates/issue.ts';
import { writeDenseModel } from '../serve/models.ts';
import {
  killServers,
  predict,
  prepareTensorflow,
  type ServerProcess,
  startServer,
} from '../serve/server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
const PATIENCE_MILLISECONDS = 120_000;
jest.setTimeout(PATIENCE_MILLISECONDS);

let directory: string;
let operator: Server;
let reports: LoadReport[];
let assignment: ModelAssignment | undefined;
/** What the operator answers instead of taking reports. */
let away: number | undefined;
let url: string;

beforeAll(prepareTensorflow, BUILD_MILLISECONDS);
afterAll(killServers);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  [reports, assignment, away] = [[], undefined, undefined];
  const authority = await makeAuthority(new Date());
  const { certificatePem: cert, privateKeyPem: key } = await issueServing(
    authority,
    ['localhost'],
    new Date(),
  );
  operator = createServer({ cert, key }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (away !== undefined) return void response.writeHead(away).end('{"error":"not now"}');
    reports.push(LoadReport.parse(JSON.parse(Buffer.concat(chunks).toString())));
    response.end(JSON.stringify({ intervalSeconds: 0.2, ...(assignment && { assignment }) }));
  });
  operator.listen(0, 'localhost');
  await once(operator, 'listening');
  url = `https://localhost:${(operator.address() as AddressInfo).port}/v1/reports`;
  await writeFile(join(directory, 'ca.crt'), authority.certificatePem);
  await writeFile(join(directory, 'token'), 'token');
  for (const version of [1, 2]) {
    await writeDenseModel(join(directory, `v${version}`), { width: 2, scale: version });
  }
  await mkdir(join(directory, 'broken'));
  await writeFile(join(directory, 'broken', 'model.json'), '{"format":"layers-model"}');
});
afterEach(async () => {
  await killServers();
  operator.closeAllConnections();
  operator.close();
  await rm(directory, { recursive: true });
});

const assigned = (revision: string, model: string, serving: object = {}): ModelAssignment => ({
  revision: revision.repeat(10),
  model: { uri: `file://${join(directory, model)}` },
  serving: Serving.parse(serving),
});

async function startPod(file: string): Promise<ServerProcess> {
  await writeFile(join(directory, 'assignment.json'), file);
  return startServer(['--port', '0', '--host', '127.0.0.1'], {
    MODEL_SERVER_DRAIN_LAG_SECONDS: '1',
    [POD_ENV.service]: 'traffic',
    [POD_ENV.assignmentFile]: join(directory, 'assignment.json'),
    [POD_ENV.cacheDirectory]: join(directory, 'cache'),
    [POD_ENV.reportUrl]: url,
    [POD_ENV.reportCaFile]: join(directory, 'ca.crt'),
    [POD_ENV.reportTokenFile]: join(directory, 'token'),
    [POD_ENV.podName]: 'traffic-0',
    [POD_ENV.podNamespace]: 'city',
    [POD_ENV.podUid]: 'uid-0',
  });
}

/** Waits for a report that is as it should be. */
async function reported(check: (report: LoadReport) => boolean): Promise<LoadReport> {
  for (;;) {
    const found = reports.findLast(check);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a changed assignment is loaded and swapped under load without one failed request, in the same process', async () => {
  const pod = await startPod(JSON.stringify(assigned('a', 'v1')));
  const first = await reported(({ state }) => state === 'Serving');
  expect(first).toMatchObject({
    pod: { namespace: 'city', name: 'traffic-0', uid: 'uid-0' },
    service: 'traffic',
    serving: { revision: 'aaaaaaaaaa', format: 'TFJSLayers', digest: expect.stringMatching(/^sha256:/) },
  });

  const answers: number[] = [];
  const failures: unknown[] = [];
  let goesOn = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (goesOn) {
      const answer = await predict(pod.url, [[1, 1]]).catch((error: Error) => ({ status: 0, body: error }));
      if (answer.status === 200 && 'predictions' in answer.body)
        answers.push(answer.body.predictions![0]![0]!);
      else failures.push(answer);
    }
  });
  for (const [revision, model, value] of [
    ['b', 'v2', 4],
    ['c', 'v1', 2],
    ['d', 'v2', 4],
  ] as const) {
    assignment = assigned(revision, model);
    await reported(({ serving }) => serving?.revision === revision.repeat(10));
    expect((await predict(pod.url, [[1, 1]])).body).toEqual({ predictions: [[value]] });
  }
  const busy = await reported(({ load }) => load.requestsPerSecond > 0 && load.busyShare > 0);
  expect(busy.load.rejectedPerSecond).toBe(0);
  goesOn = false;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(new Set(answers)).toEqual(new Set([2, 4]));
  const metrics = await (await fetch(`${pod.url}/metrics`)).text();
  expect(metrics).toMatch(/^aicity_model_loads_total{result="Succeeded"} 4$/m);
  // Sessions hold no tensors between runs.
  expect(metrics).toMatch(/^aicity_tensors 0$/m);
  const sequences = reports.map(({ sequence }) => sequence);
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
});

test('a model that cannot be loaded leaves the old one serving, and the report says why', async () => {
  const pod = await startPod(JSON.stringify(assigned('a', 'v1')));
  await reported(({ state }) => state === 'Serving');
  for (const [revision, model, reason] of [
    ['b', 'broken', 'ModelInvalid'],
    ['c', 'nowhere', 'SourceNotFound'],
  ] as const) {
    assignment = assigned(revision, model);
    const failed = await reported(({ error }) => error?.revision === revision.repeat(10));
    expect(failed).toMatchObject({
      state: 'Failed',
      error: { reason },
      serving: { revision: 'aaaaaaaaaa' },
    });
    expect((await predict(pod.url, [[1, 1]])).body).toEqual({ predictions: [[2]] });
    expect((await fetch(`${pod.url}/v2/health/ready`)).status).toBe(200);
  }
  assignment = assigned('a', 'v1', { queueCapacity: 3 });
  reports = [];
  expect(await reported(({ state, error }) => state === 'Serving' && !error)).toBeDefined();
});

test('serving does not depend on the operator, and an unreadable file is mended by its reply', async () => {
  away = 503;
  const pod = await startPod('{"revision":"not one"}');
  expect(pod.log()).toContain('listening');
  expect((await predict(pod.url, [[1, 1]])).status).toBe(503);
  assignment = assigned('a', 'v1');
  away = undefined;
  await pod.ready();
  away = 403;
  expect((await predict(pod.url, [[1, 1]])).body).toEqual({ predictions: [[2]] });
  while (!pod.log().includes('403: not now')) await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await predict(pod.url, [[1, 1]])).body).toEqual({ predictions: [[2]] });
});

test('SIGTERM is reported as draining, and the process ends with 0', async () => {
  const pod = await startPod(JSON.stringify(assigned('a', 'v1')));
  await pod.ready();
  pod.child.kill('SIGTERM');
  await reported(({ state }) => state === 'Draining');
  expect(await pod.exit).toBe(0);
  expect(reports.at(-1)).toMatchObject({ state: 'Draining', load: { queued: 0, inFlight: 0 } });
});
