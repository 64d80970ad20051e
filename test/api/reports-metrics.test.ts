import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { selectorLabels } from '../../crds/labels.ts';
import { REPORT_AUDIENCE } from '../../crds/pod-contract.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { API_SERVICE_NAMES, METRICS_ADAPTER_ROLE_NAME, OPERATOR_NAME } from '../../operator/rbac/names.ts';
import type { City } from '../region/city.ts';
import { loadReport } from '../unit/reports/load-report.ts';
import { call } from '../unit/reports/tls-client.ts';
import { cluster } from './cluster.ts';
import { freePort } from './object-store.ts';
import {
  adminClient,
  applyAll,
  operatorClient,
  operatorService,
  removeOperatorAccount,
} from './operator-account.ts';
import { type RunningReports, runReports } from './running-reports.ts';

const GROUP = '/apis/custom.metrics.k8s.io';
const AUTOSCALER = 'system:serviceaccount:kube-system:horizontal-pod-autoscaler';

/** The API server passes requests on to this process: through APIService, Service and EndpointSlice to the host. */
describe('custom.metrics.k8s.io through a real API server', () => {
  let city: City;
  let admin: KubeClient;
  let namespace: string;
  let running: RunningReports;
  let busyShare = 0.9;
  let reporting: NodeJS.Timeout;
  const sequences = new Map<string, number>();
  const tokens = new Map<string, Promise<string>>();

  beforeAll(async () => {
    city = await cluster();
    admin = adminClient(city);
    namespace = await city.freshNamespace();
    await applyAll(city, [operatorService(namespace)]);
    const client = await operatorClient(city, namespace);
    const port = await freePort('0.0.0.0');
    running = await runReports({
      client,
      namespace,
      podIp: await city.hostAddress(),
      port,
      metricsAdapter: true,
    });
    await applyAll(city, [deployment()]);
    reporting = setInterval(() => void playKubeletAndServers().catch(() => {}), 1000);
    await city.until('the API server reaches the adapter', 60, async () =>
      (await availability()).every((is) => is === 'True'),
    );
  });
  afterAll(async () => {
    clearInterval(reporting);
    await running?.stop();
    for (const name of API_SERVICE_NAMES)
      await city?.kubectl(['delete', 'apiservice', name, '--ignore-not-found']);
    await admin?.close();
    if (city) await removeOperatorAccount(city);
  });

  const deployment = () => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'traffic', namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: selectorLabels('traffic') },
      template: {
        metadata: { labels: selectorLabels('traffic') },
        spec: { containers: [{ name: 'model', image: 'none' }] },
      },
    },
  });

  /** There is no node: this makes every pod run and be ready, and lets it report like a model server. */
  async function playKubeletAndServers(): Promise<void> {
    for (const pod of running.pods.list()) {
      const { name, uid = '' } = pod.metadata;
      const at = new Date(Date.now() - 3_600_000).toISOString();
      const status = {
        phase: 'Running',
        startTime: at,
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }],
      };
      await admin.patchStatus(resources.Pod, { metadata: { namespace, name }, status } as UntypedObject, {
        fieldManager: 'kubelet',
        method: 'merge',
      });
      const bound = ['--bound-object-kind=Pod', `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
      if (!tokens.has(uid))
        tokens.set(
          uid,
          city.kubectl([
            'create',
            'token',
            'default',
            '-n',
            namespace,
            `--audience=${REPORT_AUDIENCE}`,
            ...bound,
          ]),
        );
      // What went wrong once is tried again.
      void tokens.get(uid)!.catch(() => tokens.delete(uid));
      const sequence = (sequences.get(uid) ?? 0) + 1;
      sequences.set(uid, sequence);
      await call(running.port, '/v1/reports', {
        method: 'POST',
        ca: running.certificates.current!.caBundlePem,
        name: `${OPERATOR_NAME}.${namespace}.svc`,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${(await tokens.get(uid)!).trim()}`,
        },
        body: JSON.stringify(loadReport({ pod: { namespace, name, uid }, sequence, load: { busyShare } })),
      });
    }
  }

  async function availability(): Promise<(string | undefined)[]> {
    const found = await Promise.all(
      API_SERVICE_NAMES.map((name) => admin.get<UntypedObject>(resources.APIService, { name })),
    );
    return found.map(
      ({ status }) =>
        (status as { conditions?: { type: string; status: string }[] })?.conditions?.find(
          ({ type }) => type === 'Available',
        )?.status,
    );
  }

  const raw = async (path: string, ...more: string[]) =>
    JSON.parse(await city.kubectl(['get', '--raw', path, ...more]));
  const load = (version: string) =>
    `${GROUP}/${version}/namespaces/${namespace}/pods/*/aicity_load?labelSelector=aicity.io%2Fservice%3Dtraffic`;

  test('is discovered, with the newer version preferred', async () => {
    const { groups } = await raw('/apis');
    const group = groups.find(({ name }: { name: string }) => name === 'custom.metrics.k8s.io');
    expect(group.preferredVersion.version).toBe('v1beta2');
    expect((await raw(`${GROUP}/v1beta1`)).resources.map(({ name }: { name: string }) => name)).toEqual([
      'pods/aicity_load',
      'pods/aicity_queue_time_milliseconds',
    ]);
  });

  test.each(['v1beta1', 'v1beta2'])(
    'shows the load of the pods that a selector finds in %s',
    async (version) => {
      let items: object[] = [];
      await city.until('the pod has reported', 60, async () => {
        ({ items } = await raw(load(version)));
        return items.length > 0;
      });
      expect(items[0]).toMatchObject({ describedObject: { kind: 'Pod', namespace }, value: '90000m' });
      expect((await raw(load(version).replace('%3Dtraffic', '%3Dair'))).items).toEqual([]);
    },
  );

  test('is open to the autoscaler and closed to others, by the permissions that the chart gives', async () => {
    expect((await raw(load('v1beta2'), `--as=${AUTOSCALER}`)).kind).toBe('MetricValueList');
    await expect(raw(load('v1beta2'), '--as=mallory')).rejects.toThrow(/forbidden/i);
  });

  test('asks the API server for permission itself, too', async () => {
    const read = (file: string, k3s: string) =>
      city.exec([
        'sh',
        '-c',
        `cat /var/lib/rancher/k3s/pki/${file} || cat /var/lib/rancher/k3s/server/tls/${k3s}`,
      ]);
    const as = async (user: string, group: string) =>
      call(running.port, load('v1beta2'), {
        ca: running.certificates.current!.caBundlePem,
        name: `${OPERATOR_NAME}.${namespace}.svc`,
        cert: await read('front-proxy-client.crt', 'client-auth-proxy.crt'),
        key: await read('front-proxy-client.key', 'client-auth-proxy.key'),
        headers: { 'x-remote-user': user, 'x-remote-group': group },
      });
    expect(await as(AUTOSCALER, 'system:serviceaccounts')).toMatchObject({ status: 200 });
    expect(await as('mallory', 'system:authenticated')).toMatchObject({
      status: 403,
      body: { kind: 'Status' },
    });
  });

  test('lets a HorizontalPodAutoscaler scale on the reported load', async () => {
    await applyAll(city, [
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'traffic', namespace },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'traffic' },
          minReplicas: 1,
          maxReplicas: 3,
          metrics: [
            {
              type: 'Pods',
              pods: { metric: { name: 'aicity_load' }, target: { type: 'AverageValue', averageValue: '60' } },
            },
          ],
          behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
        },
      },
    ]);
    const replicas = async () =>
      Number(
        await city.kubectl([
          'get',
          'deployment',
          'traffic',
          '-n',
          namespace,
          '-o',
          'jsonpath={.spec.replicas}',
        ]),
      );
    await city.until('there are more replicas', 120, async () => (await replicas()) >= 2);
    busyShare = 0.05;
    await city.until('there is one replica again', 120, async () => (await replicas()) === 1);
    await city.kubectl(['delete', 'hpa', 'traffic', '-n', namespace]);
  }, 300_000);

  test("leaves another adapter's registration alone and comes back when it is gone", async () => {
    const [older, newer] = API_SERVICE_NAMES;
    const spec = JSON.stringify({
      spec: { service: { name: 'prometheus-adapter', namespace: 'monitoring' } },
    });
    await city.kubectl(['patch', 'apiservice', older, '--type=merge', '-p', spec]);
    const { registration } = running.reports;
    await registration.look(true);
    expect([registration.owner, registration.otherService]).toEqual([
      'other',
      'monitoring/prometheus-adapter',
    ]);
    const left = await city.kubectl(['get', 'apiservice', '-o', 'name']);
    expect(left).toContain(older);
    expect(left).not.toContain(newer);
    const { metadata, ...untouched } = await admin.get<UntypedObject>(resources.APIService, { name: older });
    await registration.look(true);
    expect((await admin.get(resources.APIService, { name: older })).metadata.generation).toBe(
      metadata.generation,
    );
    expect(untouched).toMatchObject({ spec: { service: { name: 'prometheus-adapter' } } });

    await city.kubectl(['delete', 'apiservice', older]);
    await registration.look(true);
    expect([registration.owner, registration.otherService]).toEqual(['ours', undefined]);
    await city.until('the API server reaches the adapter again', 60, async () =>
      (await availability()).every((is) => is === 'True'),
    );
  });

  test('repairs what somebody edits and writes nothing otherwise', async () => {
    const { registration } = running.reports;
    const [older] = API_SERVICE_NAMES;
    const version = async () => (await admin.get(resources.APIService, { name: older })).metadata.generation;
    await registration.look(true);
    await city.kubectl([
      'patch',
      'apiservice',
      older,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { versionPriority: 7 } }),
    ]);
    await registration.look(true);
    const { spec } = await admin.get<UntypedObject>(resources.APIService, { name: older });
    expect(spec).toMatchObject({ versionPriority: 100 });
    const before = await version();
    await registration.look(true);
    expect(await version()).toBe(before);
  });

  test('goes with the role of the installation, so that an uninstalled operator leaves discovery whole', async () => {
    await city.kubectl(['delete', 'clusterrole', METRICS_ADAPTER_ROLE_NAME]);
    await city.until('the registration is gone', 120, async () => {
      const left = await city.kubectl(['get', 'apiservice', '-o', 'name']);
      return API_SERVICE_NAMES.every((name) => !left.includes(name));
    });
  });
});
