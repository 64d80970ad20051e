/** gRPC of the whole server: real process, real engine, gRPC's own client. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../../../model-server/grpc/generated/health_pb.js';
import { GRPCInferenceService } from '../../../../model-server/grpc/generated/inference_pb.js';
import { ServerReflection } from '../../../../model-server/grpc/generated/reflection_v1_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../../../model-server/grpc/generated/reflection_v1alpha_pb.js';
import { framed, GrpcClient } from './grpc-client.ts';
import { writeDenseModel } from './models.ts';
import {
  eventually,
  killServers,
  metric,
  prepareTensorflow,
  type ServerProcess,
  startServer,
} from './server-process.ts';

const BUILD_MILLISECONDS = 30 * 60_000;
jest.setTimeout(120_000);

const { method } = GRPCInferenceService;
const plus = fileURLToPath(new URL('../../../fixtures/models/plus/', import.meta.url));
const raw = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const floats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
const x = (size: number) => ({ name: 'x', datatype: 'FP32', shape: [BigInt(size)] });

/** gRPC's own client takes in whatever comes; of this one nothing is read before somebody listens. */
function rawStream(address: string, { parent, name }: DescMethod) {
  const session = connect(`http://${address}`, { maxSessionMemory: 1_000 }); // MB: what is written waits in it
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${parent.typeName}/${name}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  return { stream, end: () => session.close() };
}

const framedRequest = <D extends DescMessage>(schema: D, message: MessageInitShape<D>) =>
  framed(toBinary(schema, create(schema, message)));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  await prepareTensorflow();
}, BUILD_MILLISECONDS);
afterAll(async () => {
  await killServers();
  await rm(directory, { recursive: true });
});

describe('one model', () => {
  const MOST_HELD = 20_000_000;
  /** Requests and answers of 800 kB. */
  const size = 200_000;
  const large = { modelName: 'half', inputs: [x(size)], rawInputContents: [Buffer.alloc(size * 4)] };
  const held = () => metric(server.url, 'aicity_requests_held_bytes');
  let server: ServerProcess;
  let client: GrpcClient;
  beforeAll(async () => {
    server = await startServer(['--model', `half=${plus}`, '--port', '0', '--host', '127.0.0.1'], {
      MODEL_SERVER_MAX_BODY_BYTES: '1000000',
      MODEL_SERVER_MAX_HELD_BYTES: String(MOST_HELD),
    });
    await server.ready();
    client = new GrpcClient(server.grpc);
  });
  afterAll(async () => {
    client?.close();
    await server?.kill();
  });

  test('is described', async () => {
    expect(await client.call(method.serverLive, {})).toMatchObject({ live: true });
    expect(await client.call(method.serverReady, {})).toMatchObject({ ready: true });
    expect(await client.call(method.modelReady, { name: 'half', version: '1' })).toMatchObject({
      ready: true,
    });
    expect(await client.call(method.modelReady, { name: 'half', version: '2' })).toMatchObject({
      ready: false,
    });
    expect(await client.call(method.modelReady, { name: 'other' })).toMatchObject({ ready: false });
    expect(await client.call(method.serverMetadata, {})).toMatchObject({
      name: 'aicity-model-server',
      extensions: expect.arrayContaining(['model_repository', 'statistics']),
    });
    expect(await client.call(method.modelMetadata, { name: 'half' })).toMatchObject({
      ...{ name: 'half', versions: ['1'], platform: 'tensorflow_savedmodel' },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1n] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1n] }],
    });
  });

  test('answers raw tensors raw, and typed ones typed', async () => {
    const head = { modelName: 'half', id: 'one' };
    const bytes = await client.call(method.modelInfer, {
      ...{ ...head, inputs: [x(3)], rawInputContents: [raw(1, 2, 5)] },
    });
    expect(bytes).toMatchObject({
      ...{ modelName: 'half', modelVersion: '1', id: 'one' },
      outputs: [{ name: 'y', datatype: 'FP32', shape: [3n] }],
    });
    expect(bytes.rawOutputContents.map(floats)).toEqual([[2.5, 3, 4.5]]);
    const typed = await client.call(method.modelInfer, {
      ...{ ...head, outputs: [{ name: 'y' }], inputs: [{ ...x(2), contents: { fp32Contents: [1, 2] } }] },
    });
    expect(typed.outputs[0]?.contents?.fp32Contents).toEqual([2.5, 3]);
    expect(typed.rawOutputContents).toEqual([]);
  });

  test.each<[string, Parameters<GrpcClient['call']>[1], string, RegExp]>([
    ['no model', { modelName: 'other', inputs: [x(1)] }, 'NOT_FOUND', /Latest\(other\).*"half"/],
    ['no version', { modelName: 'half', modelVersion: '7' }, 'NOT_FOUND', /Specific\(half, 7\)/],
    ['no input', { modelName: 'half' }, 'INVALID_ARGUMENT', /^inputs: none found/],
    [
      'a wrong rank',
      { modelName: 'half', inputs: [{ ...x(1), shape: [1n, 1n] }], rawInputContents: [raw(1)] },
      ...(['INVALID_ARGUMENT', /shape \[1,1\] found, \[-1\] expected/] as const),
    ],
    [
      'too few bytes',
      { modelName: 'half', inputs: [x(2)], rawInputContents: [raw(1)] },
      ...(['INVALID_ARGUMENT', /4 bytes found, 8 expected/] as const),
    ],
    [
      'half a character in a name',
      { modelName: 'half', inputs: [{ ...x(1), datatype: `${'x'.repeat(59)}😀` }] },
      ...(['INVALID_ARGUMENT', /datatype: .* found/] as const),
    ],
    ['no message', Buffer.from([0x2a, 0xff, 0x01]), 'INVALID_ARGUMENT', /no inference.ModelInferRequest/],
    [
      'a giant',
      { modelName: 'half', inputs: [x(500_000)], rawInputContents: [Buffer.alloc(2_000_000)] },
      ...(['RESOURCE_EXHAUSTED', /larger than max/] as const),
    ],
    [
      'what lies between the limits',
      { modelName: 'half', inputs: [{ ...x(1), shape: [-1n] }], rawInputContents: [raw(1)] },
      ...(['INVALID_ARGUMENT', /shape\[0\]: -1 found/] as const),
    ],
  ])('refuses %s', async (_, request, code, sentence) => {
    const [found, ...rest] = (await client.failure(method.modelInfer, request as object)).split(' ');
    expect(status[Number(found)]).toBe(code);
    expect(rest.join(' ')).toMatch(sentence);
  });

  test('is counted', async () => {
    const before = await client.call(method.modelStatistics, { name: 'half' });
    await client.call(method.modelInfer, {
      modelName: 'half',
      inputs: [x(3)],
      rawInputContents: [raw(1, 2, 3)],
    });
    await client.failure(method.modelInfer, { modelName: 'half', inputs: [x(3)] });
    const after = await client.call(method.modelStatistics, { name: 'half', version: '1' });
    const [one, other] = [before.modelStats[0]!, after.modelStats[0]!];
    expect(other.inferenceCount - one.inferenceCount).toBe(3n);
    expect(other.executionCount - one.executionCount).toBe(1n);
    expect(other.inferenceStats!.success!.count - one.inferenceStats!.success!.count).toBe(1n);
    expect(other.inferenceStats!.fail!.count - one.inferenceStats!.fail!.count).toBe(1n);
    expect(other.inferenceStats!.computeInfer!.ns).toBeGreaterThan(0n);
    expect(other.batchStats.map(({ batchSize }) => batchSize)).toContain(3n);
    await eventually(async () => (await held()) === 0);
    expect(
      await metric(server.url, 'aicity_requests_total\\{protocol="grpc",status="200"\\}'),
    ).toBeGreaterThan(0);
  });

  test('answers streams, and a stream outlives what is wrong in it', async () => {
    const stream = client.duplex(method.modelStreamInfer);
    const answers = new Map<string, string>();
    stream.on('data', ({ errorMessage, inferResponse }) => {
      answers.set(inferResponse!.id, errorMessage || String(floats(inferResponse!.rawOutputContents[0]!)));
    });
    for (let id = 0; id < 200; id++) {
      stream.write({ modelName: 'half', id: `${id}`, inputs: [x(1)], rawInputContents: [raw(2 * id)] });
    }
    stream.write({ modelName: 'other', id: 'wrong' });
    stream.end();
    await once(stream, 'end');
    expect(answers.size).toBe(201);
    for (let id = 0; id < 200; id++) expect(answers.get(`${id}`)).toBe(String(id + 2));
    expect(answers.get('wrong')).toMatch(/Latest\(other\)/);
  });

  test('reads no more from a stream whose client does not read its answers', async () => {
    const sent = 200;
    const answered = () => metric(server.url, 'aicity_requests_total\\{protocol="grpc",status="200"\\}');
    const before = await answered();
    const { stream, end } = rawStream(server.grpc, method.modelStreamInfer);
    for (let count = 0; count < sent; count++)
      stream.write(framedRequest(method.modelStreamInfer.input, large));
    stream.end();
    await eventually(async () => {
      const now = await answered();
      await new Promise((later) => setTimeout(later, 500));
      return now > before && (await answered()) === now;
    });
    expect((await answered()) - before).toBeLessThan(sent / 2);
    let bytes = 0;
    stream.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    const [trailers] = await once(stream, 'trailers');
    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect(bytes).toBeGreaterThan(sent * size * 4);
    end();
  });

  test('holds no more than it may for clients that do not read their answers', async () => {
    const clients = Array.from({ length: 60 }, () => rawStream(server.grpc, method.modelInfer));
    const outcomes = clients.map(async ({ stream }) => {
      stream.end(framedRequest(method.modelInfer.input, large));
      const [headers] = await once(stream, 'response');
      return headers['grpc-status'] === undefined ? 'answered' : status[Number(headers['grpc-status'])]!;
    });
    const refusals = () => metric(server.url, 'aicity_requests_total\\{protocol="grpc",status="429"\\}');
    const counts = (await Promise.all(outcomes)).toSorted();
    const refused = counts.lastIndexOf('RESOURCE_EXHAUSTED') + 1;
    expect(new Set(counts)).toEqual(new Set(['RESOURCE_EXHAUSTED', 'answered']));
    // Requests up to the limit, and their answers, which are as large.
    expect(await refusals()).toBe(refused);
    expect(counts.length - refused).toBeLessThanOrEqual(MOST_HELD / (size * 4));
    expect(await held()).toBeLessThan(2 * MOST_HELD);
    expect(await client.call(Health.method.check, {})).toMatchObject({ status: Status.SERVING });
    expect(await client.failure(method.modelInfer, large)).toMatch(/^8 the requests being served and their/);
    for (const { stream, end } of clients) {
      stream.on('error', () => {}).destroy();
      end();
    }
    await eventually(async () => (await held()) === 0);
    await client.call(method.modelInfer, large);
  });

  test('is listed, unloaded and loaded', async () => {
    const index = async () => (await client.call(method.repositoryIndex, {})).models;
    expect(await index()).toMatchObject([{ name: 'half', version: '1', state: 'READY', reason: '' }]);
    await client.call(method.repositoryModelUnload, { modelName: 'half' });
    expect(await client.call(method.modelReady, { name: 'half' })).toMatchObject({ ready: false });
    expect(await client.failure(method.modelInfer, { modelName: 'half' })).toMatch(
      /^14 Model with name half/,
    );
    await client.call(method.repositoryModelLoad, { modelName: 'half' });
    expect(await client.call(method.modelReady, { name: 'half' })).toMatchObject({ ready: true });
    expect(await client.failure(method.repositoryModelLoad, { modelName: 'other' })).toMatch(/^5 /);
  });

  test('health is told to those who ask', async () => {
    const service = GRPCInferenceService.typeName;
    expect(await client.call(Health.method.check, {})).toMatchObject({ status: Status.SERVING });
    expect(await client.call(Health.method.check, { service })).toMatchObject({ status: Status.SERVING });
    expect(await client.failure(Health.method.check, { service: 'x' })).toMatch(
      /^5 service: there is no "x"/,
    );
    const { statuses } = await client.call(Health.method.list, {});
    expect(Object.keys(statuses)).toEqual(['', service]);
  });

  test('health is told to those who watch when it changes, whatever others watch', async () => {
    const watch = (service: string) => {
      const call = client.watch(Health.method.watch, { service }).on('error', () => {});
      const next = async () => ((await once(call, 'data')) as [{ status: Status }])[0].status;
      return { next, cancel: () => call.cancel() };
    };
    const unknown = watch('x');
    expect(await unknown.next()).toBe(Status.SERVICE_UNKNOWN);
    const known = watch(GRPCInferenceService.typeName);
    expect(await known.next()).toBe(Status.SERVING);
    const changed = known.next();
    await client.call(method.repositoryModelUnload, { modelName: 'half' });
    expect(await changed).toBe(Status.NOT_SERVING);
    const again = known.next();
    await client.call(method.repositoryModelLoad, { modelName: 'half' });
    expect(await again).toBe(Status.SERVING);
    unknown.cancel();
    known.cancel();
  });

  test.each([
    ['v1', ServerReflection],
    ['v1alpha', ServerReflectionAlpha],
  ])('reflection %s tells what there is', async (_, { method: { serverReflectionInfo } }) => {
    const stream = client.duplex(serverReflectionInfo as typeof ServerReflection.method.serverReflectionInfo);
    const ask = async (messageRequest: {
      case: 'listServices' | 'fileContainingSymbol' | 'fileByFilename';
      value: string;
    }) => {
      stream.write({ messageRequest });
      const [answer] = (await once(stream, 'data')) as [{ messageResponse: { case: string; value: never } }];
      return answer.messageResponse;
    };
    expect(await ask({ case: 'listServices', value: '' })).toMatchObject({
      value: {
        service: [
          'grpc.health.v1.Health',
          'grpc.reflection.v1.ServerReflection',
          'grpc.reflection.v1alpha.ServerReflection',
          'inference.GRPCInferenceService',
        ].map((name) => ({ name })),
      },
    });
    const symbol = 'inference.GRPCInferenceService.ModelInfer';
    const found = await ask({ case: 'fileContainingSymbol', value: symbol });
    const { fileDescriptorProto } = found.value as { fileDescriptorProto: Uint8Array[] };
    const file = fromBinary(FileDescriptorProtoSchema, fileDescriptorProto[0]!);
    expect(file).toMatchObject({ name: 'inference.proto', package: 'inference' });
    expect(await ask({ case: 'fileByFilename', value: 'inference.proto' })).toEqual(found);
    expect(await ask({ case: 'fileContainingSymbol', value: 'no.Such' })).toMatchObject({
      value: { errorCode: status.NOT_FOUND },
    });
    stream.end();
    await once(stream, 'end');
  });
});

describe('load', () => {
  const width = 64;
  /** Rows that keep the engine busy for long, in a request that is quickly sent. */
  const heavy = 4096;
  const rows = (count: number) => ({
    modelName: 'traffic',
    inputs: [{ name: 'dense_input', datatype: 'FP32', shape: [BigInt(count), BigInt(width)] }],
    rawInputContents: [Buffer.alloc(count * width * 4)],
  });
  const heavyServer = async (flags: string[] = [], env: Record<string, string> = {}) => {
    const place = join(directory, 'heavy');
    await writeDenseModel(place, { width, units: [2048, 2048, 2048, 2048, 1], scale: 0 });
    const server = await startServer(
      [
        '--model',
        `traffic=${place}`,
        '--port',
        '0',
        '--host',
        '127.0.0.1',
        '--max-batch-size',
        '1',
        ...flags,
      ],
      env,
    );
    await server.ready();
    return server;
  };

  test('beyond the queue is RESOURCE_EXHAUSTED; what is cancelled or too late is not computed', async () => {
    const server = await heavyServer(['--queue-capacity', '8']);
    const client = new GrpcClient(server.grpc);
    const counter = (name: string) => metric(server.url, name);
    const running = client.call(method.modelInfer, rows(heavy * 4));
    await eventually(async () => (await counter('aicity_requests_in_flight')) === 1);
    const runs = await counter('aicity_batch_requests_count');
    const cancels: (() => void)[] = [];
    const cancelled = Array.from({ length: 8 }, () =>
      client
        .call(method.modelInfer, rows(1), { began: (call) => cancels.push(() => call.cancel()) })
        .catch(({ code }) => code),
    );
    await eventually(async () => (await counter('aicity_requests_queued')) === 8);
    expect(await client.failure(method.modelInfer, rows(1))).toMatch(/^8 8 requests are waiting and spec/);
    for (const cancel of cancels) cancel();
    expect(new Set(await Promise.all(cancelled))).toEqual(new Set([status.CANCELLED]));
    await eventually(async () => (await counter('aicity_requests_queued')) === 0);
    const late = Array.from({ length: 4 }, () =>
      client.failure(method.modelInfer, rows(1), { deadline: Date.now() + 500 }),
    );
    for (const failure of await Promise.all(late)) expect(failure).toMatch(/^4 /);
    await eventually(async () => (await counter('aicity_requests_queued')) === 0);
    await running;
    await eventually(async () => (await counter('aicity_requests_held_bytes')) === 0);
    expect(await counter('aicity_batch_requests_count')).toBe(runs + 1);
    client.close();
    await server.kill();
  });

  test('is drained: watchers hear of it, what is in flight is answered, the process ends with 0', async () => {
    // Until the second signal.
    const server = await heavyServer([], { MODEL_SERVER_DRAIN_LAG_SECONDS: '100' });
    const client = new GrpcClient(server.grpc);
    const heard: Status[] = [];
    const watch = client.watch(Health.method.watch, {});
    watch.on('data', ({ status: told }) => heard.push(told)).on('error', () => {});
    await once(watch, 'data');
    const stream = client.duplex(method.modelStreamInfer);
    let streamed = 0;
    stream.on('data', () => streamed++);
    stream.write(rows(1));
    await once(stream, 'data');
    const running = [1, 2, 3].map(() => client.call(method.modelInfer, rows(heavy)));
    await eventually(async () => (await metric(server.url, 'aicity_requests_in_flight')) === 1);
    const ended = [once(stream, 'end'), once(watch, 'end')];
    server.child.kill('SIGTERM');
    await ended[1];
    expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING]);
    const late = new GrpcClient(server.grpc);
    await late.call(method.modelInfer, rows(1));
    server.child.kill('SIGTERM');
    await Promise.all([...running, ...ended]);
    expect(streamed).toBe(1);
    expect(await server.exit).toBe(0);
    for (const each of [client, late]) each.close();
  });
});
