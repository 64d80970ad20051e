/** Spans as a collector gets them, over real HTTP. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AccessLog } from '../../../../model-server/serve/access-log.ts';
import { startTracing } from '../../../../model-server/serve/tracing.ts';

interface SentSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

let collector: Server;
let endpoint: string;
let received: { path: string | undefined; spans: SentSpan[]; service: unknown }[];

beforeEach(async () => {
  received = [];
  collector = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const [resource] = JSON.parse(text).resourceSpans;
    received.push({
      path: request.url,
      spans: resource.scopeSpans.flatMap(({ spans }: { spans: SentSpan[] }) => spans),
      service: resource.resource.attributes.find(({ key }: { key: string }) => key === 'service.name')?.value,
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = endpoint;
});
afterEach(async () => {
  delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  await new Promise((resolve) => collector.close(resolve));
});

const about = {
  model: { name: 'traffic', version: '3' },
  timings: { rows: 2, total: 10, queue: 4, input: 1, infer: 3, output: 2 },
};
const caller = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a request is a span of the caller`s trace, with the parts of its time', async () => {
  const tracing = await startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, '1.2.3');
  const request = tracing!.begin('v2', { traceparent: caller });
  expect(request.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
  request.finish(200, about);
  await tracing!.close();
  const [{ path, spans, service } = { path: '', spans: [], service: '' }] = received;
  expect([path, service]).toEqual(['/v1/traces', { stringValue: 'aicity-model-server' }]);
  const server = spans.find(({ name }) => name === 'open-inference/infer')!;
  expect(server).toMatchObject({ traceId: caller.slice(3, 35), parentSpanId: caller.slice(36, 52), kind: 2 });
  expect(server.attributes).toEqual(
    expect.arrayContaining([
      { key: 'http.response.status_code', value: { intValue: 200 } },
      { key: 'model.name', value: { stringValue: 'traffic' } },
      { key: 'model.version', value: { stringValue: '3' } },
      { key: 'model.rows', value: { intValue: 2 } },
    ]),
  );
  const parts = spans.filter(({ parentSpanId }) => parentSpanId === server.spanId);
  const nanoseconds = ({ startTimeUnixNano, endTimeUnixNano }: SentSpan) =>
    Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano));
  expect(Object.fromEntries(parts.map((part) => [part.name, Math.round(nanoseconds(part) / 1e6)]))).toEqual({
    decode: 1,
    queue: 4,
    compute: 3,
    encode: 2,
  });
});

test('what the caller does not sample is not sent, and garbage is no trace', async () => {
  const tracing = await startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, '1');
  const unsampled = tracing!.begin('v1', { traceparent: caller.replace(/1$/, '0') });
  expect(unsampled.traceparent).toMatch(/^00-4bf9.*-00$/);
  unsampled.finish(200, about);
  const fresh = tracing!.begin('grpc', { traceparent: 'nonsense' });
  expect(fresh.traceparent).toMatch(/^00-(?!4bf9)[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  fresh.finish(503, {});
  await tracing!.close();
  expect(received.flatMap(({ spans }) => spans.map(({ name }) => name))).toEqual([
    'inference.GRPCInferenceService/ModelInfer',
  ]);
});

test('the sampler is the one of the environment', async () => {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER: 'always_off' };
  const tracing = await startTracing(environment, '1');
  tracing!.begin('v1', { traceparent: caller }).finish(200, about);
  await tracing!.close();
  expect(received).toEqual([]);
});

test('a collector that is away holds up nothing', async () => {
  const away = 'http://127.0.0.1:9';
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = away;
  const tracing = await startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: away }, '1');
  tracing!.begin('v1', {}).finish(200, about);
  await tracing!.close();
});

test.each([[{}], [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_SDK_DISABLED: 'true' }]])(
  '%j starts nothing',
  async (environment) => expect(await startTracing(environment, '1')).toBeUndefined(),
);

test('the access log has the share that is asked for, and all failures of ours', () => {
  const lines: object[] = [];
  const drawn = [0.04, 0.5];
  const log = (share: number) =>
    new AccessLog({
      share,
      log: { info: (line: object) => lines.push(line) } as never,
      random: () => drawn.shift() ?? 1,
    });
  const some = log(0.05);
  some.answered('v2', 200, 0.0123, about, caller);
  some.answered('v2', 200, 0.01, about);
  some.answered('v1', 503, 0.001, {});
  log(0).answered('v1', 503, 0.001, {});
  expect(lines).toEqual([
    {
      ...{ protocol: 'v2', status: 200, model: 'traffic', version: '3', traceId: caller.slice(3, 35) },
      ...{ milliseconds: 12.3, rows: 2, queueMilliseconds: 4, computeMilliseconds: 3 },
    },
    { protocol: 'v1', status: 503, milliseconds: 1 },
  ]);
});
