import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { REGION_LABELS } from '../../crds/region.ts';
import type { HttpKubeClient } from '../../operator/kube/http-client.ts';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { ServiceExports } from '../../operator/reconcile/agent/service-exports.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { operatorClient, removeOperatorAccount } from './operator-account.ts';
import { TestOperator } from './operator-in.ts';
import { upstreamDefinition } from './upstream-definitions.ts';

const CRD = 'serviceexports.multicluster.x-k8s.io';

/** With the upstream project's own definition, and the rights that the chart gives to a city. */
describe('ServiceExports', () => {
  let city: City;
  let operator: TestOperator;
  let account: HttpKubeClient;
  const stop = new AbortController();
  let running: Promise<void>;

  beforeAll(async () => {
    city = await cluster();
    await city.kubectl(['delete', 'crd', CRD, '--ignore-not-found']);
    operator = await TestOperator.start(city, 'exports');
    account = await operatorClient(city, operator.namespace, ['city']);
    const { namespace, stores } = operator;
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client: account, clock, log, metrics: noMetrics, namespace, askEverySeconds: 1 };
    running = new ServiceExports({ ...tools, modelServices: stores.modelServices }).run(stop.signal);
  });
  afterAll(async () => {
    stop.abort();
    await running;
    await operator.stop();
    await removeOperatorAccount(city);
    await account.close();
    await city.kubectl(['delete', 'crd', CRD, '--ignore-not-found']);
  });

  const fromHub = { [REGION_LABELS.fromHub]: 'true' };

  async function add(name: string, labels: Record<string, string> = {}): Promise<void> {
    const spec = { model: { uri: 'https://models.example/traffic' }, gpu: { count: 0 } };
    const object: UntypedObject = { metadata: { name, namespace: operator.namespace, labels }, spec };
    await operator.client.apply(resources.ModelService, object, { fieldManager: 'hub', force: true });
  }

  async function install(definition?: string): Promise<void> {
    await city.apply(definition ?? (await upstreamDefinition('ServiceExport')));
    await city.kubectl(['wait', '--for=condition=Established', `crd/${CRD}`, '--timeout=60s']);
  }

  /** Empty too while the kind is not served. */
  async function exported(): Promise<UntypedObject[]> {
    const items = await operator.list(resources.ServiceExport).catch(() => []);
    return items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }
  const names = async () => (await exported()).map(({ metadata }) => metadata.name);

  test('are not missed where nobody knows them, and begin when somebody installs the kind', async () => {
    await add('traffic', fromHub);
    await add('own');
    await operator.until('the city serves as ever', () => operator.exists(resources.Service, 'own'));
    await install();
    await operator.until('the service from the hub is exported', async () => (await names()).length > 0);
    const [found] = await exported();
    expect(found).toMatchObject({
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      metadata: {
        name: 'traffic',
        labels: { 'aicity.io/service': 'traffic' },
        ownerReferences: [{ kind: 'ModelService', name: 'traffic', controller: true }],
      },
    });
    await operator.until('its Service is there', () => operator.exists(resources.Service, 'traffic'));
  });

  test('come back when they are deleted by hand, and the city’s own services are not exported', async () => {
    await operator.kubectl('delete', 'serviceexport', 'traffic');
    await operator.until('it is back', async () => (await names()).includes('traffic'));
    expect(await names()).toEqual(['traffic']);
  });

  test('of somebody else stay as they are', async () => {
    const foreign: UntypedObject = { metadata: { name: 'air', namespace: operator.namespace } };
    await operator.client.create(resources.ServiceExport, foreign);
    await add('air', fromHub);
    await operator.until('the service is there', () => operator.exists(resources.Service, 'air'));
    await add('noise', fromHub);
    await operator.until('the one after it is exported', async () => (await names()).includes('noise'));
    const [air] = await exported();
    expect(air?.metadata.ownerReferences).toBeUndefined();
  });

  test('go with the service that the hub withdraws', async () => {
    await operator.kubectl('delete', 'modelservice', 'noise');
    // The garbage collector hears of a new kind only after up to half a minute.
    await city.until('its export is gone', 120, async () => !(await names()).includes('noise'));
  });

  test('are done without when the kind goes, and made anew when it returns, in an older version too', async () => {
    await city.kubectl(['delete', 'crd', CRD]);
    await operator.until('the kind is gone', async () => (await exported()).length === 0);
    await install(
      (await upstreamDefinition('ServiceExport')).replace(/name: v1beta1\n\s+served: true/, (text) =>
        text.replace('true', 'false'),
      ),
    );
    const path = `/apis/multicluster.x-k8s.io/v1alpha1/namespaces/${operator.namespace}/serviceexports`;
    await operator.until('both are exported again', async () => {
      const list = await operator.client
        .request<{ items: UntypedObject[] }>({ method: 'GET', path })
        .catch(() => ({ items: [] }));
      return (
        list.items
          .map(({ metadata }) => metadata.name)
          .sort()
          .join() === 'air,traffic'
      );
    });
  });
});
