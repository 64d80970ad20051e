/** Several models and versions in one real process, as somebody without Kubernetes runs them. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { GRPCInferenceService } from '../../../../model-server/grpc/generated/inference_pb.js';
import { GrpcClient } from './grpc-client.ts';
import { writeDenseModel } from './models.ts';
import { killServers, prepareTensorflow, type ServerProcess, startServer } from './server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
jest.setTimeout(180_000);

let directory: string;
let server: ServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  await prepareTensorflow();
  for (const version of [1, 2]) await writeVersion(version);
  await writeDenseModel(join(directory, 'air'), { width: 1, scale: 10 });
  await writeFile(
    join(directory, 'models.yaml'),
    `
models:
  - {name: traffic, uri: ./traffic, versions: latest:2, labels: {stable: 1}}
  - {name: air, uri: ./air}
host: 127.0.0.1
port: 0
accessLogShare: 1
`,
  );
  server = await startServer(['--config', join(directory, 'models.yaml')]);
  await server.ready();
}, BUILD_MILLISECONDS);

afterAll(async () => {
  await killServers();
  await rm(directory, { recursive: true });
});

/** Each version multiplies by its number. Whole at once, as a careful publisher does. */
async function writeVersion(version: number): Promise<void> {
  const place = join(directory, `writing-${version}`);
  await writeDenseModel(place, { width: 1, scale: version });
  await rename(place, join(directory, 'traffic', String(version))).catch(async () => {
    await writeDenseModel(join(directory, 'traffic', String(version)), { width: 1, scale: version });
  });
}

async function predicted(path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(`${server.url}/v1/models/${path}:predict`, {
    ...{ method: 'POST', headers },
    body: JSON.stringify({ instances: [[1]] }),
  });
  const { predictions, error } = (await answer.json()) as { predictions?: number[][]; error?: string };
  return predictions?.[0]?.[0] ?? `${answer.status} ${error}`;
}

const eventually = async (check: () => Promise<boolean>) => {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 50));
};

test('each model and version answers under its name', async () => {
  await eventually(
    async () => (await predicted('traffic')) === 2 && (await predicted('traffic/versions/1')) === 1,
  );
  expect(await predicted('traffic/versions/2')).toBe(2);
  expect(await predicted('air')).toBe(10);
  expect(await predicted('traffic/versions/9')).toMatch(
    /^404 .*Specific\(traffic, 9\); versions 1, 2 are served/,
  );
  expect(await predicted('noise')).toMatch(/^404 .*this server serves "traffic", "air"/);
  expect(await (await fetch(`${server.url}/v2/models`)).json()).toEqual({ models: ['traffic', 'air'] });
});

test('both protocols tell the same versions', async () => {
  const { modelMetadata } = GRPCInferenceService.method;
  const client = new GrpcClient(server.grpc);
  for (const version of ['', '1']) {
    const path = version === '' ? '' : `/versions/${version}`;
    const document = (await (await fetch(`${server.url}/v2/models/traffic${path}`)).json()) as object;
    expect(document).toMatchObject({ versions: version === '' ? ['1', '2'] : ['1'] });
    const { versions } = await client.call(modelMetadata, { name: 'traffic', version });
    expect({ versions }).toEqual({ versions: (document as { versions: string[] }).versions });
  }
  client.close();
});

test('a label stands for its version', async () => {
  expect(await predicted('traffic/labels/stable')).toBe(1);
  expect(await predicted('traffic/labels/canary')).toMatch(
    /^404 .*has no label "canary"; its labels: "stable"/,
  );
});

test('what each takes of memory is told', async () => {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const model of ['model="traffic",version="2"', 'model="air",version="1"']) {
    expect(metrics).toMatch(new RegExp(`^aicity_model_resident_bytes\\{${model}\\} \\d+$`, 'm'));
    expect(metrics).toMatch(new RegExp(`^aicity_model_tensors\\{${model}\\} \\d+$`, 'm'));
  }
});

test('the page at / has a line to copy for each', async () => {
  const page = (await (await fetch(server.url)).json()) as {
    models: { name: string; version: string; signatures: { try: string }[] }[];
  };
  expect(page.models.map(({ name, version }) => `${name} ${version}`)).toEqual([
    'traffic 1',
    'traffic 2',
    'air 1',
  ]);
  const copied: unknown[] = [];
  for (const { signatures } of page.models) {
    const [, url = '', body = ''] = /^curl (\S+) -d '(.*)'$/.exec(signatures[0]!.try) ?? [];
    const ones = body.replace('[0]', '[1]');
    copied.push(await (await fetch(url, { method: 'POST', body: ones })).json());
  }
  expect(copied).toEqual([1, 2, 10].map((scale) => ({ predictions: [[scale]] })));
});

test('a new version takes the place of the oldest', async () => {
  await writeVersion(3);
  await eventually(async () => (await predicted('traffic')) === 3);
  await eventually(async () => String(await predicted('traffic/versions/1')).startsWith('404'));
  expect(await predicted('traffic/versions/2')).toBe(2);
});

test('time limits and priorities are read, and requests are logged with their trace', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = {
    'request-timeout': '20',
    priority: 'u=0',
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  };
  expect(await predicted('air', headers)).toBe(10);
  await eventually(async () => server.log().includes(traceId));
  expect(server.log()).toMatch(
    new RegExp(`"protocol":"v1","status":200,"model":"air","version":"1","traceId":"${traceId}"`),
  );
  expect(await predicted('air', { 'request-timeout': 'soon' })).toMatch(/^400 Request-Timeout: "soon" found/);
});
