import { createPrivateKey, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { LoadReport } from '../../crds/load-report.ts';
import { REPORT_AUDIENCE } from '../../crds/pod-contract.ts';
import { serviceNames } from '../../operator/certificates/issue.ts';
import { CertificateKeeper } from '../../operator/certificates/keeper.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { ENDPOINT_SLICE_NAME, OPERATOR_NAME, TLS_SECRET_NAME } from '../../operator/rbac/names.ts';
import { LeaderEndpoint } from '../../operator/reports/leader-endpoint.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import type { City } from '../region/city.ts';
import { loadReport } from '../unit/reports/load-report.ts';
import { type Answer, call } from '../unit/reports/tls-client.ts';
import { cluster } from './cluster.ts';
import {
  adminClient,
  applyAll,
  operatorClient,
  operatorService,
  removeOperatorAccount,
} from './operator-account.ts';
import { assignment, type RunningReports, runReports } from './running-reports.ts';

const silent = pino({ level: 'silent' });

describe('reports on a real API server', () => {
  let city: City;
  let admin: KubeClient;
  let client: KubeClient;
  let namespace: string;
  let running: RunningReports;
  beforeAll(async () => {
    city = await cluster();
    admin = adminClient(city);
    namespace = await city.freshNamespace();
    await applyAll(city, [operatorService(namespace)]);
    client = await operatorClient(city, namespace);
    running = await runReports({ client, namespace, podIp: '10.1.2.3', port: 0, metricsAdapter: false });
    for (const name of ['traffic-1', 'traffic-2', 'stranger']) await createPod(name);
  });
  afterAll(async () => {
    await running?.stop();
    await admin?.close();
    if (city) await removeOperatorAccount(city);
  });

  async function createPod(name: string): Promise<void> {
    const labels = { 'app.kubernetes.io/managed-by': OPERATOR_NAME, 'aicity.io/service': 'traffic' };
    const metadata = { name, namespace, ...(name === 'stranger' ? {} : { labels }) };
    const spec = { serviceAccountName: 'default', containers: [{ name: 'model', image: 'none' }] };
    await city.until('the default service account is there', 60, async () => {
      await admin.create(resources.Pod, { apiVersion: 'v1', kind: 'Pod', metadata, spec } as UntypedObject);
      return true;
    });
    await city.until('the operator knows the pod', 60, async () => podOf(name) !== undefined);
  }

  const podOf = (name: string) => running.pods.get({ cluster: '', namespace, name });
  const uidOf = (name: string) => podOf(name)!.metadata.uid!;

  /** A token as the kubelet projects it into a pod; without a pod it is bound to the service account alone. */
  async function token(pod: string | undefined, audience = REPORT_AUDIENCE): Promise<string> {
    const bound =
      pod === undefined
        ? []
        : ['--bound-object-kind=Pod', `--bound-object-name=${pod}`, `--bound-object-uid=${uidOf(pod)}`];
    return (
      await city.kubectl(['create', 'token', 'default', '-n', namespace, `--audience=${audience}`, ...bound])
    ).trim();
  }

  const reportOf = (name: string, changes: Partial<LoadReport> = {}) =>
    loadReport({ ...changes, pod: { namespace, name, uid: uidOf(name), ...changes.pod } });

  function post(bearer: string | undefined, report: LoadReport): Promise<Answer> {
    return call(running.port, '/v1/reports', {
      method: 'POST',
      ca: running.certificates.current!.caBundlePem,
      name: `${OPERATOR_NAME}.${namespace}.svc`,
      headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
      body: JSON.stringify(report),
    });
  }

  const known = () => running.reports.registry.inNamespace(namespace).map(({ pod }) => pod.name);

  /** The same token with other claims, signed by the cluster's own key. */
  async function resigned(
    original: string,
    change: (claims: Record<string, unknown>) => void,
  ): Promise<string> {
    const key = await city.exec([
      'sh',
      '-c',
      'cat /var/lib/rancher/k3s/pki/service-account.key || cat /var/lib/rancher/k3s/server/tls/service.current.key',
    ]);
    const [header, payload] = original.split('.') as [string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    change(claims);
    const text = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(text), {
      key: createPrivateKey(key),
      dsaEncoding: 'ieee-p1363',
    });
    return `${text}.${signature.toString('base64url')}`;
  }

  describe('refused, counted, and nothing is known afterwards', () => {
    test.each<[string, string, number, () => Promise<Answer>]>([
      ['no token', 'NoToken', 401, () => post(undefined, reportOf('traffic-1'))],
      ['garbage', 'TokenMalformed', 401, () => post('garbage', reportOf('traffic-1'))],
      [
        'a token of another audience',
        'TokenAudience',
        401,
        async () => post(await token('traffic-1', 'https://kubernetes.default.svc'), reportOf('traffic-1')),
      ],
      [
        'a token that is bound to no pod',
        'TokenNotPodBound',
        403,
        async () => post(await token(undefined), reportOf('traffic-1')),
      ],
      [
        "another pod's name",
        'OtherPod',
        403,
        async () => post(await token('traffic-2'), reportOf('traffic-1')),
      ],
      [
        "a pod's name with its own uid",
        'OtherPod',
        403,
        async () =>
          post(
            await token('traffic-2'),
            reportOf('traffic-1', { pod: { uid: uidOf('traffic-2') } as never }),
          ),
      ],
      [
        'a pod that is not ours',
        'PodNotOurs',
        403,
        async () => post(await token('stranger'), reportOf('stranger')),
      ],
      [
        'an expired token',
        'TokenExpired',
        401,
        async () => {
          const now = Math.floor(Date.now() / 1000);
          const expired = await resigned(await token('traffic-1'), (claims) =>
            Object.assign(claims, { iat: now - 4000, nbf: now - 4000, exp: now - 400 }),
          );
          return post(expired, reportOf('traffic-1'));
        },
      ],
      [
        'a token whose claims were edited',
        'TokenRejected',
        401,
        async () => {
          const [header, payload, signature] = (await token('traffic-2')).split('.') as [
            string,
            string,
            string,
          ];
          const text = Buffer.from(payload, 'base64url')
            .toString()
            .replaceAll('traffic-2', 'traffic-1')
            .replaceAll(uidOf('traffic-2'), uidOf('traffic-1'));
          return post(
            `${header}.${Buffer.from(text).toString('base64url')}.${signature}`,
            reportOf('traffic-1'),
          );
        },
      ],
      [
        'a token for the API server that claims the audience of reports',
        'TokenRejected',
        401,
        async () => {
          const [header, payload, signature] = (
            await token('traffic-1', 'https://kubernetes.default.svc')
          ).split('.') as [string, string, string];
          const claims = {
            ...JSON.parse(Buffer.from(payload, 'base64url').toString()),
            aud: [REPORT_AUDIENCE],
          };
          return post(
            `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`,
            reportOf('traffic-1'),
          );
        },
      ],
    ])('%s: %s', async (_, reason, status, send) => {
      const before = (await running.refused())[reason] ?? 0;
      expect(await send()).toMatchObject({ status, body: { reason } });
      expect((await running.refused())[reason]).toBe(before + 1);
      expect(known()).toEqual([]);
    });
  });

  test('a signature by the cluster with a valid time passes, so that the expired one failed for its time alone', async () => {
    const again = await resigned(await token('traffic-1'), () => {});
    expect(await post(again, reportOf('traffic-1'))).toMatchObject({ status: 200, body: { assignment } });
    running.reports.registry.forget(uidOf('traffic-1'));
  });

  test("a pod's own report is taken, until the pod is deleted", async () => {
    const own = await token('traffic-2');
    expect(await post(own, reportOf('traffic-2'))).toMatchObject({
      status: 200,
      body: { assignment, intervalSeconds: 2 },
    });
    expect(known()).toEqual(['traffic-2']);
    const report = reportOf('traffic-2', { sequence: 2 });
    await admin.delete(resources.Pod, { namespace, name: 'traffic-2' }, { gracePeriodSeconds: 0 });
    await city.until('the operator knows that it is gone', 60, async () => podOf('traffic-2') === undefined);
    expect(known()).toEqual([]);
    // The answer of the API server is still remembered here; the pod is not.
    expect(await post(own, report)).toMatchObject({ status: 403, body: { reason: 'PodUnknown' } });
    // A pod of the same name is another pod, and the API server refuses a token that was never reviewed before.
    await createPod('traffic-2');
    expect(await post(own, reportOf('traffic-2', { sequence: 3 }))).toMatchObject({
      status: 403,
      body: { reason: 'PodUnknown' },
    });
    expect(known()).toEqual([]);
  });

  test('the token of a deleted pod that was never seen before is rejected by the API server', async () => {
    await createPod('traffic-3');
    const orphan = await token('traffic-3');
    const report = reportOf('traffic-3');
    await admin.delete(resources.Pod, { namespace, name: 'traffic-3' }, { gracePeriodSeconds: 0 });
    await city.until('the operator knows that it is gone', 60, async () => podOf('traffic-3') === undefined);
    const { body } = await post(orphan, report);
    expect(['TokenRejected', 'PodUnknown']).toContain((body as { reason: string }).reason);
  });

  test('two replicas that make certificates at once end with one Secret and the same certificates', async () => {
    const other = await city.freshNamespace();
    const racer = await operatorClient(city, other);
    const keepers = [1, 2, 3, 4].map(
      () =>
        new CertificateKeeper({
          client: racer,
          clock,
          log: silent,
          namespace: other,
          secretName: TLS_SECRET_NAME,
          names: serviceNames(OPERATOR_NAME, other),
        }),
    );
    // The API server learns of the account's rights there a moment after they were given.
    await city.until('the Secret may be read', 60, async () => {
      await keepers[0]!.look(false);
      return true;
    });
    await Promise.all(keepers.map((keeper) => keeper.look(true)));
    const bundles = new Set(keepers.map(({ current }) => current?.caBundlePem));
    expect([bundles.size, bundles.has(undefined)]).toEqual([1, false]);

    const spoilt = JSON.stringify({ data: { 'tls.key': 'bm8=' } });
    await city.kubectl(['patch', 'secret', TLS_SECRET_NAME, '-n', other, '--type=merge', '-p', spoilt]);
    await Promise.all(keepers.map((keeper) => keeper.look(true)));
    const remade = new Set(keepers.map(({ current }) => current?.caBundlePem));
    expect(remade.size).toBe(1);
    expect(remade).not.toEqual(bundles);
    await racer.close();
    // The permissions are bound to one namespace at a time.
    await operatorClient(city, namespace).then((again) => again.close());
  });

  describe('the EndpointSlice of the leader', () => {
    // Of its own: the operator that runs above points the slice of its namespace to itself again and again.
    let namespace: string;
    let client: KubeClient;
    beforeAll(async () => {
      namespace = await city.freshNamespace();
      await applyAll(city, [operatorService(namespace)]);
      client = await operatorClient(city, namespace);
      await city.until('the account may read the Service', 60, async () => {
        await client.get(resources.Service, { namespace, name: OPERATOR_NAME });
        return true;
      });
    });
    afterAll(() => client?.close());

    const at = (podIp: string) =>
      new LeaderEndpoint({
        client,
        log: silent,
        namespace,
        serviceName: OPERATOR_NAME,
        sliceName: ENDPOINT_SLICE_NAME,
        podName: `pod-${podIp}`,
        podIp,
        port: 9443,
      });
    const slice = () =>
      admin.get<UntypedObject>(resources.EndpointSlice, { namespace, name: ENDPOINT_SLICE_NAME });
    const addresses = async () =>
      ((await slice())['endpoints'] as { addresses: string[] }[] | null)?.flatMap(
        (endpoint) => endpoint.addresses,
      ) ?? [];

    test('leads to the leader by the name of the port in the Service, and goes with the Service', async () => {
      await at('10.1.0.1').claim();
      expect(await slice()).toMatchObject({
        metadata: {
          labels: { 'kubernetes.io/service-name': OPERATOR_NAME },
          ownerReferences: [{ kind: 'Service', name: OPERATOR_NAME }],
        },
        addressType: 'IPv4',
        ports: [{ name: 'https', port: 9443, protocol: 'TCP' }],
      });
      expect(await addresses()).toEqual(['10.1.0.1']);
    });

    test('is written once while nothing changes, and repaired when somebody edits it', async () => {
      await at('10.1.0.1').claim();
      const { resourceVersion } = (await slice()).metadata;
      await at('10.1.0.1').claim();
      expect((await slice()).metadata.resourceVersion).toBe(resourceVersion);
      await city.kubectl([
        'patch',
        'endpointslice',
        ENDPOINT_SLICE_NAME,
        '-n',
        namespace,
        '--type=merge',
        '-p',
        '{"endpoints":[]}',
      ]);
      await at('10.1.0.1').claim();
      expect(await addresses()).toEqual(['10.1.0.1']);
    });

    test('a new leader takes it over, and the old one on its way out does not take it back', async () => {
      await at('10.1.0.1').claim();
      await at('10.1.0.2').claim();
      await at('10.1.0.1').release();
      expect(await addresses()).toEqual(['10.1.0.2']);
    });

    test('a leader that ends leaves it empty but whole', async () => {
      await at('10.1.0.2').claim();
      await at('10.1.0.2').release();
      expect(await addresses()).toEqual([]);
      expect((await slice()).metadata.labels).toMatchObject({ 'kubernetes.io/service-name': OPERATOR_NAME });
      await at('10.1.0.3').claim();
      expect(await addresses()).toEqual(['10.1.0.3']);
    });

    test('a Service that is missing is a sentence', async () => {
      const elsewhere = new LeaderEndpoint({
        client,
        log: silent,
        namespace,
        serviceName: 'nowhere',
        sliceName: ENDPOINT_SLICE_NAME,
        podName: 'p',
        podIp: '10.1.0.1',
        port: 9443,
      });
      await expect(elsewhere.claim()).rejects.toThrow(/services "nowhere" not found/);
    });
  });
});
