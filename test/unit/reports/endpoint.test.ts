import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ModelAssignment } from '../../../crds/pod-contract.ts';
import { type IssuedCertificate, issueServing, makeAuthority } from '../../../operator/certificates/issue.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { reportEndpoint } from '../../../operator/reports/endpoint.ts';
import { REFUSALS, type Refusal } from '../../../operator/reports/refusals.ts';
import { ReportRegistry } from '../../../operator/reports/registry.ts';
import type { Sender, SenderCheck } from '../../../operator/reports/sender.ts';
import { TlsServer } from '../../../operator/reports/tls-server.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { loadReport } from './load-report.ts';
import { call, keepAliveAgent } from './tls-client.ts';

const sender: Sender = { namespace: 'city', podName: 'traffic-1', podUid: 'uid-1' };
const labels = { 'app.kubernetes.io/managed-by': 'aicity-operator', 'aicity.io/service': 'traffic' };
const assignment: ModelAssignment = {
  revision: '0123456789',
  model: { uri: 'https://models.example/traffic' },
  serving: {
    maxBatchSize: 32,
    maxDelayMilliseconds: 0,
    queueCapacity: 256,
    maxBacklogMilliseconds: 2000,
    requestTimeoutSeconds: 30,
    warmUpRequests: 1,
  },
};

describe('POST /v1/reports', () => {
  let authority: IssuedCertificate;
  let server: TlsServer;
  let port: number;
  let clock: FakeClock;
  let registry: ReportRegistry;
  let refusals: string[];
  let received: number;
  /** What the checks around the endpoint say in this test. */
  let world: {
    leads: boolean;
    sender: Awaited<ReturnType<SenderCheck['senderOf']>>;
    pod: KubeObject | undefined;
    /** For a pod that was made for the model of this revision. */
    wanted: (podRevision: string | undefined) => ModelAssignment | undefined;
    senderAsked: () => void;
  };
  let handler: ReturnType<typeof reportEndpoint>;

  beforeAll(async () => {
    authority = await makeAuthority(new Date());
    const serving = await issueServing(authority, ['operator'], new Date());
    server = new TlsServer({
      handler: (request, response) => handler(request, response),
      log: pino({ level: 'silent' }),
    });
    server.useIdentity({ ...serving, caBundlePem: authority.certificatePem });
    port = await server.listen(0, '127.0.0.1');
  });
  afterAll(() => server.close(0));
  beforeEach(() => {
    clock = new FakeClock();
    registry = new ReportRegistry({ clock });
    refusals = [];
    received = 0;
    world = {
      leads: true,
      sender,
      pod: { metadata: { name: 'traffic-1', namespace: 'city', uid: 'uid-1', labels } },
      wanted: () => assignment,
      senderAsked: () => {},
    };
    handler = reportEndpoint({
      registry,
      senders: {
        async senderOf() {
          world.senderAsked();
          return world.sender;
        },
      } as unknown as SenderCheck,
      podOf: () => world.pod,
      assignmentOf: (_namespace, _service, podRevision) => world.wanted(podRevision),
      leads: () => world.leads,
      clock,
      metrics: {
        reportReceived: () => {
          received += 1;
        },
        reportRefused: (reason) => refusals.push(reason),
      },
      log: pino({ level: 'silent' }),
    });
  });

  const post = (body: unknown = loadReport(), headers: Record<string, string> = {}, more = {}) =>
    call(port, '/v1/reports', {
      ca: authority.certificatePem,
      method: 'POST',
      headers: { authorization: 'Bearer a.b.c', 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      ...more,
    });

  test('a report of the pod itself is taken and answered with what to serve', async () => {
    await expect(post()).resolves.toMatchObject({ status: 200, body: { assignment, intervalSeconds: 2 } });
    expect(registry.of('city', 'traffic')[0]?.report).toEqual(loadReport());
    expect([received, refusals]).toEqual([1, []]);
  });

  test('unknown fields are left out', async () => {
    await post({ ...loadReport(), isAdmin: true });
    expect(registry.of('city', 'traffic')[0]?.report).toEqual(loadReport());
  });

  test('a report that was overtaken is answered and dropped', async () => {
    await post(loadReport({ sequence: 5 }));
    await expect(post(loadReport({ sequence: 4 }))).resolves.toMatchObject({ status: 200 });
    expect(registry.of('city', 'traffic')[0]?.report.sequence).toBe(5);
  });

  test.each<[string, string | undefined, boolean]>([
    ['a pod that has something to serve', '0123456789', true],
    ['a pod that keeps what it serves', 'fedcba9876', false],
    ['a pod that was made for no model, of a service that is gone', undefined, false],
  ])('%s', async (_, revision, isAssigned) => {
    const annotations = revision === undefined ? {} : { 'aicity.io/model-revision': revision };
    world.pod = { metadata: { ...world.pod!.metadata, annotations } };
    world.wanted = (podRevision) => (podRevision === '0123456789' ? assignment : undefined);
    const { body } = await post();
    expect(body).toEqual({ ...(isAssigned && { assignment }), intervalSeconds: 2 });
  });

  const pod = (metadata: object): KubeObject => ({
    metadata: { name: 'traffic-1', namespace: 'city', uid: 'uid-1', labels, ...metadata },
  });

  test.each<[string, Refusal, () => ReturnType<typeof post>]>([
    ['no token', 'NoToken', () => post(loadReport(), { authorization: '' })],
    ['basic authentication', 'NoToken', () => post(loadReport(), { authorization: 'Basic YTpi' })],
    [
      'a token that was refused',
      'TokenExpired',
      () => {
        world.sender = { refusal: 'TokenExpired' };
        return post();
      },
    ],
    [
      'an API server in trouble',
      'Unavailable',
      () => {
        world.sender = { refusal: 'Unavailable', retryAfterSeconds: 2 };
        return post();
      },
    ],
    [
      'a replica that does not lead',
      'NotLeading',
      () => {
        world.leads = false;
        return post();
      },
    ],
    [
      'a pod that is gone',
      'PodUnknown',
      () => {
        world.pod = undefined;
        return post();
      },
    ],
    [
      'a pod that took over the name',
      'PodUnknown',
      () => {
        world.pod = pod({ uid: 'uid-2' });
        return post();
      },
    ],
    [
      'a pod without labels',
      'PodNotOurs',
      () => {
        world.pod = pod({ labels: {} });
        return post();
      },
    ],
    [
      'a pod of another operator',
      'PodNotOurs',
      () => {
        world.pod = pod({ labels: { ...labels, 'app.kubernetes.io/managed-by': 'helm' } });
        return post();
      },
    ],
    ["another pod's name", 'OtherPod', () => post(loadReport({ pod: { name: 'traffic-2' } }))],
    ["another pod's uid", 'OtherPod', () => post(loadReport({ pod: { uid: 'uid-2' } }))],
    ['another namespace', 'OtherPod', () => post(loadReport({ pod: { namespace: 'elsewhere' } }))],
    ['another service', 'OtherService', () => post(loadReport({ service: 'air' }))],
    ['text', 'NotJson', () => post('hello', { 'content-type': 'text/plain' })],
    ['a compressed body', 'NotJson', () => post('hello', { 'content-encoding': 'gzip' })],
    ['an empty body', 'BadContent', () => post('')],
    ['half a report', 'BadContent', () => post(JSON.stringify(loadReport()).slice(0, 100))],
    ['binary garbage', 'BadContent', () => post(Buffer.from([0, 1, 255, 254, 123]))],
    ['null', 'BadContent', () => post('null')],
    ['a list', 'BadContent', () => post('[]')],
    ['a busy share above 1', 'BadContent', () => post(loadReport({ load: { busyShare: 7 } }))],
    ['a negative sequence', 'BadContent', () => post(loadReport({ sequence: -1 }))],
    [
      'a number too large for JSON',
      'BadContent',
      () => post(JSON.stringify(loadReport()).replace('12.5', '1e999')),
    ],
    ['a long body', 'TooLarge', () => post(`"${'x'.repeat(20_000)}"`)],
    [
      'a long body of unknown length',
      'TooLarge',
      () => post(`"${'x'.repeat(60_000)}"`, { 'transfer-encoding': 'chunked' }),
    ],
  ])('%s is refused as %s, counted, and nothing changes', async (_, refusal, send) => {
    const answer = await send();
    expect(answer).toMatchObject({ status: REFUSALS[refusal][0], body: { reason: refusal } });
    expect((answer.body as { error: string }).error.length).toBeGreaterThan(10);
    expect([received, refusals, registry.inNamespace('city')]).toEqual([0, [refusal], []]);
    if (answer.status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('the sentence names the field and what was found there', async () => {
    const { body } = await post(loadReport({ load: { busyShare: 7 } }));
    expect((body as { error: string }).error).toMatch(/^load\.busyShare is 7: .*1/);
    const gone = { ...loadReport(), state: undefined };
    expect(((await post(gone)).body as { error: string }).error).toMatch(/^state is missing: /);
  });

  test('a pod that reports too fast is asked to wait', async () => {
    const agent = keepAliveAgent();
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1)
      statuses.push((await post(loadReport({ sequence: n }), {}, { agent })).status);
    expect(statuses).toEqual([...Array(10).fill(200), 429, 429]);
    clock.freeze(1);
    expect((await post(loadReport({ sequence: 99 }), {}, { agent })).status).toBe(200);
    agent.destroy();
  });

  test('a pod keeps its connection, but not to a replica that leads no more', async () => {
    const agent = keepAliveAgent();
    expect((await post(loadReport(), {}, { agent })).headers.connection).toBe('keep-alive');
    world.sender = { refusal: 'Unavailable' };
    expect((await post(loadReport(), {}, { agent })).headers.connection).toBe('keep-alive');
    world.leads = false;
    expect((await post(loadReport(), {}, { agent })).headers.connection).toBe('close');
    agent.destroy();
  });

  test('a pod that is deleted while its report is on the way is not remembered', async () => {
    const body = JSON.stringify(loadReport());
    const sent = request({
      host: '127.0.0.1',
      port,
      path: '/v1/reports',
      method: 'POST',
      servername: 'operator',
      ca: authority.certificatePem,
      agent: false,
      headers: {
        authorization: 'Bearer a.b.c',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    const known = new Promise<void>((asked) => {
      world.senderAsked = asked;
    });
    sent.write(body.slice(0, 50));
    await known;
    world.pod = undefined;
    sent.end(body.slice(50));
    const [response] = await once(sent, 'response');
    response.resume();
    expect([response.statusCode, registry.inNamespace('city')]).toEqual([403, []]);
  });

  test('a client that breaks off in the middle harms nobody', async () => {
    const known = new Promise<void>((asked) => {
      world.senderAsked = asked;
    });
    const socket = connect({ host: '127.0.0.1', port, servername: 'operator', ca: authority.certificatePem });
    await once(socket, 'secureConnect');
    socket.write(
      'POST /v1/reports HTTP/1.1\r\nHost: o\r\nAuthorization: Bearer a.b.c\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"pod"',
    );
    await known;
    socket.destroy();
    await expect(post()).resolves.toMatchObject({ status: 200 });
  });

  test('without TLS, with another authority or an old protocol there is no answer', async () => {
    const stranger = await makeAuthority(new Date());
    await expect(post(loadReport(), {}, { ca: stranger.certificatePem })).rejects.toThrow(/certificate/);
    await expect(post(loadReport(), {}, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
  });

  test('a renewed certificate serves new connections while old ones go on', async () => {
    const agent = keepAliveAgent();
    await post(loadReport(), {}, { agent });
    const renewed = await makeAuthority(new Date());
    const serving = await issueServing(renewed, ['operator'], new Date());
    server.useIdentity({ ...serving, caBundlePem: renewed.certificatePem });
    await expect(post(loadReport({ sequence: 2 }), {}, { agent })).resolves.toMatchObject({ status: 200 });
    await expect(post(loadReport({ sequence: 3 }))).rejects.toThrow(/certificate/);
    authority = renewed;
    await expect(post(loadReport({ sequence: 4 }))).resolves.toMatchObject({ status: 200 });
    agent.destroy();
  });
});
