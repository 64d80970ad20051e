import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type IssuedCertificate, issueServing, makeAuthority } from '../../../operator/certificates/issue.ts';
import type { KubeClient, RawRequest } from '../../../operator/kube/client.ts';
import { errorFromStatus } from '../../../operator/kube/errors.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { metricsApi } from '../../../operator/reports/metrics-api/app.ts';
import { MetricAuthorizer } from '../../../operator/reports/metrics-api/authorization.ts';
import { RequestHeaderTrust } from '../../../operator/reports/metrics-api/trust.ts';
import { ReportRegistry } from '../../../operator/reports/registry.ts';
import { TlsServer } from '../../../operator/reports/tls-server.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { loadReport } from './load-report.ts';
import { type Answer, call, clientCertificate, keepAliveAgent } from './tls-client.ts';

const GROUP = '/apis/custom.metrics.k8s.io';
const LOAD = `${GROUP}/v1beta2/namespaces/city/pods/*/aicity_load`;
const autoscaler = {
  'x-remote-user': 'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
  'x-remote-group': ['system:serviceaccounts', 'system:authenticated'],
};
const silent = pino({ level: 'silent' });

describe('custom.metrics.k8s.io', () => {
  let authority: IssuedCertificate;
  let proxyAuthority: IssuedCertificate;
  let proxy: { cert: string; key: string };
  let server: TlsServer;
  let port: number;
  let clock: FakeClock;
  let registry: ReportRegistry;
  let trust: RequestHeaderTrust;
  let handler: ReturnType<typeof metricsApi>;
  /** What the cluster says in this test. */
  let cluster: {
    configMap: Record<string, string>;
    reviews: RawRequest[];
    allowed: boolean | Error;
    pods: KubeObject[];
    leads: boolean;
  };

  beforeAll(async () => {
    const now = new Date();
    [authority, proxyAuthority] = [
      await makeAuthority(now),
      await makeAuthority(new Date(now.getTime() + 1)),
    ];
    proxy = await clientCertificate(proxyAuthority, 'front-proxy-client');
    server = new TlsServer({ handler: async (request, response) => handler(request, response), log: silent });
    server.useIdentity({
      ...(await issueServing(authority, ['operator'], now)),
      caBundlePem: authority.certificatePem,
    });
    port = await server.listen(0, '127.0.0.1');
  });
  afterAll(() => server.close(0));

  beforeEach(async () => {
    clock = new FakeClock('2026-03-01T12:00:00.000Z');
    registry = new ReportRegistry({ clock });
    cluster = {
      configMap: {
        'requestheader-client-ca-file': proxyAuthority.certificatePem,
        'requestheader-allowed-names': '["front-proxy-client"]',
        'requestheader-username-headers': '["X-Remote-User"]',
        'requestheader-group-headers': '["X-Remote-Group"]',
        'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      },
      reviews: [],
      allowed: true,
      pods: [1, 2, 3].map((n) => ({
        metadata: {
          namespace: 'city',
          name: `traffic-${n}`,
          uid: `uid-${n}`,
          labels: { app: 'traffic', replica: `${n}` },
        },
      })),
      leads: true,
    };
    const client = {
      get: async () => ({ metadata: { name: 'x' }, data: cluster.configMap }),
      request: async (request: RawRequest) => {
        cluster.reviews.push(request);
        if (cluster.allowed instanceof Error) throw cluster.allowed;
        return { status: { allowed: cluster.allowed } };
      },
    } as unknown as KubeClient;
    trust = new RequestHeaderTrust({
      client,
      clock,
      log: silent,
      onClientAuthority: (pem) => server.useClientAuthority(pem),
    });
    await trust.look();
    handler = metricsApi({
      reports: registry,
      podOf: (namespace, name) =>
        cluster.pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      authorizer: new MetricAuthorizer({ client, clock }),
      requestHeaderConfig: () => trust.config,
      leads: () => cluster.leads,
      clock,
      log: silent,
    });
  });

  const get = (path: string, options: Parameters<typeof call>[2] = {}): Promise<Answer> =>
    call(port, path, { ca: authority.certificatePem, ...proxy, headers: autoscaler, ...options });
  const report = (n: number, changes: Parameters<typeof loadReport>[0] = {}) =>
    registry.accept(loadReport({ pod: { name: `traffic-${n}`, uid: `uid-${n}` }, ...changes }));
  const podsIn = ({ body }: Answer) =>
    (body as { items: { describedObject: { name: string } }[] }).items.map(
      ({ describedObject }) => describedObject.name,
    );

  describe('discovery', () => {
    test('names both versions, the newer one first', async () => {
      const versions = ['v1beta2', 'v1beta1'].map((version) => ({
        groupVersion: `custom.metrics.k8s.io/${version}`,
        version,
      }));
      const group = { name: 'custom.metrics.k8s.io', versions, preferredVersion: versions[0] };
      expect((await get('/apis')).body).toEqual({ kind: 'APIGroupList', apiVersion: 'v1', groups: [group] });
      expect((await get(GROUP)).body).toEqual({ kind: 'APIGroup', apiVersion: 'v1', ...group });
    });

    test.each(['v1beta1', 'v1beta2'])('lists the metrics of pods in %s', async (version) => {
      const resource = (name: string) => ({
        name,
        singularName: '',
        namespaced: true,
        kind: 'MetricValueList',
        verbs: ['get'],
      });
      expect((await get(`${GROUP}/${version}`)).body).toEqual({
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion: `custom.metrics.k8s.io/${version}`,
        resources: [resource('pods/aicity_load'), resource('pods/aicity_queue_time_milliseconds')],
      });
    });

    test('needs no permission beyond being known', async () => {
      cluster.allowed = false;
      for (const path of ['/apis', GROUP, `${GROUP}/v1beta1`, '/openapi/v2', '/openapi/v3?timeout=32s']) {
        expect(await get(path)).toMatchObject({ status: 200 });
      }
      expect(cluster.reviews).toEqual([]);
    });

    test.each([
      '/',
      '/api',
      `${GROUP}/v1`,
      `${GROUP}/v1beta3/namespaces/city/pods/*/aicity_load`,
      `${GROUP}/v1beta2/namespaces/city/metrics/x`,
      '/../etc',
    ])('%s is not found, in the words of an API server', async (path) => {
      expect(await get(path)).toMatchObject({
        status: 404,
        body: { kind: 'Status', reason: 'NotFound', code: 404, status: 'Failure' },
      });
    });

    test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is refused', async (method) => {
      expect(await get(LOAD, { method })).toMatchObject({
        status: 405,
        body: { reason: 'MethodNotAllowed' },
      });
    });
  });

  describe('who asks', () => {
    const plain = (): object => ({ cert: undefined, key: undefined });

    test.each(['/livez', '/readyz'])('%s is open to all', async (path) => {
      expect(await get(path, { ...plain(), headers: {} })).toMatchObject({ status: 200, body: 'ok' });
    });

    test('headers alone prove nothing', async () => {
      for (const path of [LOAD, '/apis', '/nowhere']) {
        expect(await get(path, plain())).toMatchObject({
          status: 401,
          body: { kind: 'Status', reason: 'Unauthorized' },
        });
      }
    });

    test('a token proves nothing here', async () => {
      expect(
        await get(LOAD, { ...plain(), headers: { ...autoscaler, authorization: 'Bearer a.b.c' } }),
      ).toMatchObject({ status: 401 });
    });

    test('nor does a certificate of another authority, an expired one, a server certificate, or another name', async () => {
      const stranger = await makeAuthority(new Date());
      const expired = await clientCertificate(proxyAuthority, 'front-proxy-client', {
        notAfter: new Date(Date.now() - 1000),
      });
      const ofServer = await issueServing(proxyAuthority, ['front-proxy-client'], new Date());
      for (const { cert, key } of [
        await clientCertificate(stranger, 'front-proxy-client'),
        await clientCertificate(authority, 'front-proxy-client'),
        await clientCertificate(proxyAuthority, 'kubelet'),
        expired,
        { cert: ofServer.certificatePem, key: ofServer.privateKeyPem },
      ]) {
        expect(await get(LOAD, { cert, key })).toMatchObject({ status: 401 });
      }
    });

    test('a resumed TLS session gives nobody a certificate', async () => {
      const { Agent } = await import('node:https');
      const agent = new Agent({ maxCachedSessions: 10 });
      for (let n = 0; n < 4; n += 1) {
        expect(await get(LOAD, { ...plain(), agent })).toMatchObject({ status: 401 });
      }
      agent.destroy();
    });

    test('the API server without a user is nobody', async () => {
      expect(await get(LOAD, { headers: {} })).toMatchObject({ status: 401 });
    });

    test('whoever may not read metrics is told so', async () => {
      cluster.allowed = false;
      const { status, body } = await get(LOAD);
      expect([status, (body as { message: string }).message]).toEqual([
        403,
        'User "system:serviceaccount:kube-system:horizontal-pod-autoscaler" cannot get resource "pods/aicity_load" in API group "custom.metrics.k8s.io" in the namespace "city"',
      ]);
    });

    test('permission is asked of the API server with the attributes of the path, once in ten seconds', async () => {
      await get(LOAD);
      await get(LOAD);
      expect(cluster.reviews).toHaveLength(1);
      expect(cluster.reviews[0]?.body).toMatchObject({
        kind: 'SubjectAccessReview',
        spec: {
          user: autoscaler['x-remote-user'],
          groups: autoscaler['x-remote-group'],
          extra: {},
          resourceAttributes: {
            verb: 'get',
            group: 'custom.metrics.k8s.io',
            version: 'v1beta2',
            namespace: 'city',
            resource: 'pods',
            subresource: 'aicity_load',
            name: '*',
          },
        },
      });
      await get(LOAD, { headers: { ...autoscaler, 'x-remote-group': 'other' } });
      await get(LOAD.replace('city', 'elsewhere'));
      expect(cluster.reviews).toHaveLength(3);
      clock.freeze(10);
      cluster.allowed = false;
      expect(await get(LOAD)).toMatchObject({ status: 403 });
    });

    test('system:masters is not asked about', async () => {
      cluster.allowed = false;
      expect(
        await get(LOAD, { headers: { 'x-remote-user': 'a', 'x-remote-group': 'system:masters' } }),
      ).toMatchObject({ status: 200 });
    });

    test('an API server in trouble is 503, not 403', async () => {
      cluster.allowed = errorFromStatus(500, { message: 'etcd' }, 'POST');
      expect(await get(LOAD)).toMatchObject({
        status: 503,
        body: { reason: 'ServiceUnavailable' },
        headers: { 'retry-after': '2' },
      });
    });

    test('when the cluster rotates the authority, old connections and old certificates are out', async () => {
      const agent = keepAliveAgent();
      expect(await get(LOAD, { agent })).toMatchObject({ status: 200 });
      const next = await makeAuthority(new Date());
      cluster.configMap = { ...cluster.configMap, 'requestheader-client-ca-file': next.certificatePem };
      await trust.look();
      // Whether the cut connection is noticed before or after the next request is up to the network.
      const again = await get(LOAD, { agent }).catch((error: NodeJS.ErrnoException) => error.code);
      if (typeof again !== 'string') expect(again).toMatchObject({ status: 401 });
      expect(await get(LOAD)).toMatchObject({ status: 401 });
      expect(await get(LOAD, await clientCertificate(next, 'front-proxy-client'))).toMatchObject({
        status: 200,
      });
      agent.destroy();
    });

    test('while both are trusted, both work', async () => {
      const next = await makeAuthority(new Date());
      cluster.configMap = {
        ...cluster.configMap,
        'requestheader-client-ca-file': proxyAuthority.certificatePem + next.certificatePem,
      };
      await trust.look();
      expect(await get(LOAD)).toMatchObject({ status: 200 });
      expect(await get(LOAD, await clientCertificate(next, 'front-proxy-client'))).toMatchObject({
        status: 200,
      });
    });

    test('settings that turn unreadable leave the last ones in force', async () => {
      cluster.configMap = { ...cluster.configMap, 'requestheader-allowed-names': '{' };
      await trust.look();
      expect(await get(LOAD)).toMatchObject({ status: 200 });
    });

    test('without an aggregation layer nobody is known', async () => {
      cluster.configMap = {};
      await trust.look();
      expect(await get(LOAD)).toMatchObject({ status: 401 });
    });
  });

  describe('values', () => {
    test('of all selected pods, as the autoscaler asks for them', async () => {
      report(1);
      clock.freeze(3.7);
      report(2, { load: { busyShare: 0.7345, queueTimeMilliseconds: 0, windowSeconds: 9.6 } });
      const answer = await get(`${LOAD}?labelSelector=app%3Dtraffic`);
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      });
      expect(answer.body).toEqual({
        kind: 'MetricValueList',
        apiVersion: 'custom.metrics.k8s.io/v1beta2',
        metadata: {},
        items: [
          {
            describedObject: { kind: 'Pod', namespace: 'city', name: 'traffic-1', apiVersion: 'v1' },
            metric: { name: 'aicity_load', selector: null },
            timestamp: '2026-03-01T12:00:00Z',
            windowSeconds: 10,
            value: '50000m',
          },
          {
            describedObject: { kind: 'Pod', namespace: 'city', name: 'traffic-2', apiVersion: 'v1' },
            metric: { name: 'aicity_load', selector: null },
            timestamp: '2026-03-01T12:00:03Z',
            windowSeconds: 10,
            value: '73450m',
          },
        ],
      });
    });

    test('in the older version', async () => {
      report(1);
      const path = `${GROUP}/v1beta1/namespaces/city/pods/traffic-1/aicity_queue_time_milliseconds`;
      expect((await get(path)).body).toEqual({
        kind: 'MetricValueList',
        apiVersion: 'custom.metrics.k8s.io/v1beta1',
        metadata: {},
        items: [
          {
            describedObject: { kind: 'Pod', namespace: 'city', name: 'traffic-1', apiVersion: 'v1' },
            metricName: 'aicity_queue_time_milliseconds',
            timestamp: '2026-03-01T12:00:00Z',
            window: 10,
            value: '12500m',
            selector: null,
          },
        ],
      });
    });

    test.each<[string, string[]]>([
      ['', ['traffic-1', 'traffic-2']],
      ['?labelSelector=replica+in+(2,3)', ['traffic-2']],
      ['?labelSelector=app!%3Dtraffic', []],
      ['?metricLabelSelector=unit', []],
      ['?metricLabelSelector=!unit', ['traffic-1', 'traffic-2']],
    ])('selector %p', async (query, expected) => {
      report(1);
      report(2);
      expect(podsIn(await get(LOAD + query)).sort()).toEqual(expected);
    });

    test.each([
      '?labelSelector=app%3D%3D%3Dx',
      '?labelSelector=a&labelSelector=b',
      '?metricLabelSelector=%2C',
    ])('bad selector %p is a sentence', async (query) => {
      const { status, body } = await get(LOAD + query);
      expect([status, (body as { reason: string }).reason]).toEqual([400, 'BadRequest']);
      expect((body as { message: string }).message).toMatch(/elector/);
    });

    test('stale, loading, forgotten, deleted and replaced replicas have none', async () => {
      report(1);
      clock.freeze(11);
      report(2, { serving: undefined, state: 'Loading' } as never);
      report(3);
      expect(podsIn(await get(LOAD))).toEqual(['traffic-3']);
      cluster.pods = cluster.pods.map((pod) => ({ metadata: { ...pod.metadata, uid: 'new' } }));
      expect(podsIn(await get(LOAD))).toEqual([]);
      cluster.pods = [];
      expect(podsIn(await get(LOAD))).toEqual([]);
    });

    test('a service without pods has an empty list; a pod without a report, or an unknown metric, is not found', async () => {
      expect(await get(LOAD)).toMatchObject({ status: 200, body: { items: [] } });
      expect(await get(LOAD.replace('*', 'traffic-1'))).toMatchObject({
        status: 404,
        body: { reason: 'NotFound' },
      });
      expect(await get(LOAD.replace('aicity_load', 'http_requests'))).toMatchObject({
        status: 404,
        body: { message: 'the server could not find the metric http_requests for pods' },
      });
    });

    test('another namespace is another world', async () => {
      report(1);
      expect(podsIn(await get(LOAD.replace('city', 'elsewhere')))).toEqual([]);
    });

    test('a replica that does not lead says so instead of showing nothing', async () => {
      cluster.leads = false;
      expect(await get(LOAD)).toMatchObject({ status: 503, headers: { connection: 'close' } });
    });

    test('a path that cannot be decoded is a bad request', async () => {
      expect(await get(LOAD.replace('*', '%ff'))).toMatchObject({ status: 400 });
    });
  });
});
