/**
 * Six failures that were seen in other model servers, put to the real process: `docs/performance.md` shows them side by
 * side. They have names there; what is behind each is tested in more ways beside this file.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { callerTo, type Outcome } from '../../../bench/caller.ts';
import type { ClientRequest } from '../../../bench/contender.ts';
import { type BenchModel, benchModels, writeBenchModel } from '../../../bench/models.ts';
import { instancesRequest, rawTensorRequest } from '../../../bench/requests.ts';
import { areSame, scoresOf } from '../../../bench/scores.ts';
import { killServers, prepareTensorflow, type ServerProcess, startServer } from './server-process.ts';

jest.setTimeout(300_000);
const PATIENCE_SECONDS = 240;
const [image] = benchModels as [BenchModel];
/** Images that keep the engine busy while others arrive, in a request that is quickly sent. */
const HEAVY_ROWS = 2048;

let directory: string;
beforeAll(async () => {
  await prepareTensorflow();
  directory = await mkdtemp(join(tmpdir(), 'failures-'));
  await writeBenchModel(directory, image);
}, 30 * 60_000);
afterEach(killServers);
afterAll(() => rm(directory, { recursive: true }));

async function start(...flags: string[]): Promise<ServerProcess> {
  const server = await startServer([
    ...['--model', `image=${directory}`, '--port', '0', '--host', '127.0.0.1', '--grpc-port', '0'],
    ...flags,
  ]);
  await server.ready();
  return server;
}

async function ask(request: ClientRequest): Promise<Outcome> {
  const caller = callerTo(request.url);
  const outcome = await caller.ask(request, PATIENCE_SECONDS);
  caller.close();
  return outcome;
}

const json = ({ url }: ServerProcess, rows: number, inputShape: readonly number[] = image.inputShape) =>
  instancesRequest({ ...image, inputShape }, rows, `${url}/v1/models/image:predict`);
const raw = ({ url }: ServerProcess, rows: number, inputShape: readonly number[] = image.inputShape) =>
  rawTensorRequest({ ...image, inputShape }, rows, `${url}/v2/models/image/infer`);

async function metric({ url }: ServerProcess, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

const runsOf = (server: ServerProcess) => metric(server, 'aicity_batch_requests_count');

/** Sends a request that takes long, and resolves while it is computed; sends another when nobody saw it run. */
async function longRun(server: ServerProcess) {
  for (;;) {
    const runsBefore = await runsOf(server);
    let isGoing = true;
    const answer = ask(raw(server, HEAVY_ROWS)).finally(() => {
      isGoing = false;
    });
    while (isGoing && (await metric(server, 'aicity_requests_in_flight')) === 0) await sleep(2);
    if (isGoing) return { answer, isGoing: () => isGoing, runsBefore };
    await answer;
  }
}

/**
 * Sends a request that takes long and so many that are short, and resolves while the first is computed and the others
 * wait; tries again when the first was too quick.
 */
async function duringARun(server: ServerProcess, count: number) {
  for (;;) {
    const { answer, isGoing, runsBefore } = await longRun(server);
    const outcomes = [answer, ...Array.from({ length: count }, () => ask(raw(server, 1)))];
    while (isGoing() && (await metric(server, 'aicity_requests_queued')) < count) await sleep(2);
    if (isGoing()) return { outcomes, runsBefore };
    await Promise.all(outcomes);
  }
}

const statuses = (outcomes: readonly Outcome[]) => outcomes.map(({ status }) => status);

test('1. a request of the wrong rank ends nothing but itself', async () => {
  const server = await start();
  for (const shape of [[3072], [32, 96], [1, 32, 32, 3], [1, 1, 32, 32, 3], []]) {
    for (const request of [json, raw]) {
      expect((await ask(request(server, 1, shape))).status).toBe(400);
      expect((await ask(request(server, 1))).status).toBe(200);
    }
  }
  expect(server.child.exitCode).toBeNull();
});

test('2. no scores for a shape that the network would swallow, nor for a flat one', async () => {
  const server = await start();
  for (const shape of [[31, 32, 3], [32, 31, 3], [33, 33, 3], [3072]]) {
    for (const request of [json, raw]) {
      const { status, body } = await ask(request(server, 1, shape));
      expect([status, body.toString()]).toEqual([
        400,
        expect.stringContaining(`shape [1,${shape}] found, [-1,32,32,3] expected`),
      ]);
    }
  }
});

test('3. wrong requests fail no good one that waits beside them for the same run', async () => {
  const server = await start();
  const right = scoresOf(await ask(json(server, 1)));
  const running = await longRun(server);
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, (_, index) => {
      const request = index % 2 === 0 ? json : raw;
      return ask(index % 4 < 2 ? request(server, 1) : request(server, 1, [31, 32, 3]));
    }),
  );
  expect((await running.answer).status).toBe(200);
  expect(statuses(outcomes)).toEqual(outcomes.map((_, index) => (index % 4 < 2 ? 200 : 400)));
  for (const outcome of outcomes)
    if (outcome.status === 200) expect(areSame(right, scoresOf(outcome))).toBe(true);
});

test('4. what is too much is told so at once, and what was taken is answered', async () => {
  const capacity = 8;
  const server = await start('--queue-capacity', String(capacity));
  const running = await longRun(server);
  const outcomes = await Promise.all(Array.from({ length: 200 }, () => ask(raw(server, 32))));
  expect((await running.answer).status).toBe(200);
  expect(new Set(statuses(outcomes))).toEqual(new Set([200, 429]));
  expect(outcomes.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(capacity);
  for (const { status, headers } of outcomes)
    if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
});

test('5. SIGTERM loses nothing that is in flight, closes connections politely and leaves no process', async () => {
  const server = await start();
  const { hostname, port } = new URL(server.url);
  const idle = connect(Number(port), hostname);
  idle.write(`GET /v2/health/live HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  await once(idle, 'data');
  // A reset would be an error, which rejects this; a polite end is none.
  const closed = once(idle.resume(), 'close');
  const { outcomes } = await duringARun(server, 16);
  server.child.kill('SIGTERM');
  expect(statuses(await Promise.all(outcomes))).toEqual(new Array(17).fill(200));
  await closed;
  expect(await server.exit).toBe(0);
});

test('6. a lone client never waits for company, and those who came meanwhile share the next run', async () => {
  const server = await start();
  const before = await runsOf(server);
  for (let count = 0; count < 20; count++) expect((await ask(json(server, 1))).status).toBe(200);
  expect(await runsOf(server)).toBe(before + 20);
  const { outcomes, runsBefore } = await duringARun(server, 16);
  expect(statuses(await Promise.all(outcomes))).toEqual(new Array(17).fill(200));
  expect(await runsOf(server)).toBe(runsBefore + 2);
});
