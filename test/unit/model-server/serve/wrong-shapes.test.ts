/**
 * Shapes that a network's padding and pooling would hide: a classifier of 32×32×3 pixels answers 31×32×3 with scores,
 * if it is asked. It never is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { ClientRequest } from '../../../bench/contender.ts';
import { type BenchModel, benchModels, writeBenchModel } from '../../../bench/models.ts';
import { instancesRequest, rawTensorRequest } from '../../../bench/requests.ts';
import { killServers, prepareTensorflow, type ServerProcess, startServer } from './server-process.ts';

jest.setTimeout(60_000);
const [image] = benchModels as [BenchModel];

let directory: string;
let server: ServerProcess;
beforeAll(async () => {
  await prepareTensorflow();
  directory = await mkdtemp(join(tmpdir(), 'shapes-'));
  await writeBenchModel(directory, image);
  server = await startServer(['--model', `image=${directory}`, '--port', '0', '--host', '127.0.0.1']);
  await server.ready();
});
afterAll(async () => {
  await killServers();
  await rm(directory, { recursive: true });
});

async function ask({ url, headers, body }: ClientRequest): Promise<{ status: number; text: string }> {
  const sent = new Uint8Array(Buffer.from(body));
  const answer = await fetch(url, { method: 'POST', body: sent, ...(headers && { headers }) });
  return { status: answer.status, text: await answer.text() };
}

const requests = {
  'TensorFlow Serving': (shape: readonly number[]) =>
    instancesRequest({ ...image, inputShape: shape }, 1, `${server.url}/v1/models/image:predict`),
  'raw tensors': (shape: readonly number[]) =>
    rawTensorRequest({ ...image, inputShape: shape }, 1, `${server.url}/v2/models/image/infer`),
  'Open Inference Protocol': (shape: readonly number[]): ClientRequest => {
    const data = new Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
    const input = { name: 'x', datatype: 'FP32', shape: [1, ...shape], data };
    return { url: `${server.url}/v2/models/image/infer`, body: JSON.stringify({ inputs: [input] }) };
  },
};

describe.each(Object.entries(requests))('%s', (_, request) => {
  test('the right shape is answered', async () => {
    expect((await ask(request([32, 32, 3]))).status).toBe(200);
  });

  test.each([
    [[31, 32, 3]],
    [[32, 31, 3]],
    [[33, 33, 3]],
    [[64, 64, 3]],
    [[32, 32, 1]],
    [[32, 96]],
    [[3072]],
    [[1, 32, 32, 3]],
  ])('%j is refused, with what was expected', async (shape) => {
    const { status, text } = await ask(request(shape));
    expect(status).toBe(400);
    expect(text).toContain(`shape [1,${shape}] found, [-1,32,32,3] expected`);
  });

  test('among good requests it fails alone', async () => {
    const shapes = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? [31, 32, 3] : [32, 32, 3]));
    const answers = await Promise.all(shapes.map((shape) => ask(request(shape))));
    expect(answers.map(({ status }) => status)).toEqual(
      shapes.map(([height]) => (height === 32 ? 200 : 400)),
    );
  });
});
