/** What a hub does for joining, in this process, with the rights of the chart and no others, on a real API server. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import type { CityCluster } from '../../crds/city-cluster.ts';
import { CITY_OBJECTS, cityNamespace } from '../../crds/region.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { OPERATOR_NAME } from '../../operator/rbac/names.ts';
import { type HubCopies, hubCopies } from '../../operator/reconcile/hub/hub.ts';
import { Joining } from '../../operator/reconcile/hub/joining.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import { adminClient, operatorClient, removeOperatorAccount } from '../api/operator-account.ts';
import type { City } from '../region/city.ts';
import { installRegionDefinitions } from './region-hub.ts';

export class TestHub {
  /** Of the operator. */
  readonly namespace: string;
  readonly admin: KubeClient;
  readonly operator: HttpKubeClient;
  readonly joining: Joining;
  readonly stores: HubCopies['stores'];
  readonly #city: City;
  readonly #added: string[] = [];
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(city: City, namespace: string, operator: HttpKubeClient) {
    this.#city = city;
    this.namespace = namespace;
    this.operator = operator;
    this.admin = adminClient(city);
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client: operator, clock, log, metrics: noMetrics };
    const copies = hubCopies(tools);
    this.stores = copies.stores;
    this.joining = new Joining({
      ...tools,
      cityClusters: copies.stores.cityClusters,
      contents: [copies.stores.cityReports, copies.stores.leases],
      operator: { namespace, name: OPERATOR_NAME },
    });
    const { signal } = this.#stop;
    this.#running = Promise.all([
      copies.run(signal),
      copies.synced.then(async () => await this.joining.run(signal)),
    ]);
  }

  static async start(city: City): Promise<TestHub> {
    await installRegionDefinitions(city);
    const namespace = await city.freshNamespace('hub');
    return new TestHub(city, namespace, await operatorClient(city, namespace, ['hub']));
  }

  /** Adds a CityCluster whose name begins so. */
  async addCity(prefix: string): Promise<CityCluster & KubeObject> {
    const name = `${prefix}-${randomBytes(3).toString('hex')}`;
    this.#added.push(name);
    const object = { metadata: { name }, spec: {} } as KubeObject;
    return await this.admin.create<CityCluster & KubeObject>(resources.CityCluster, object);
  }

  /** The token of a city, as soon as there is one and the API server knows it and the rights that go with it. */
  async token(city: string): Promise<string> {
    const namespace = cityNamespace(city);
    const at = { namespace, name: CITY_OBJECTS.tokenSecret };
    let token = '';
    await this.#city.until(`${city} has a token`, 120, async () => {
      const secret = await this.admin.get<KubeObject & { data?: { token?: string } }>(resources.Secret, at);
      token = Buffer.from(secret.data?.token ?? '', 'base64').toString();
      if (token === '') return false;
      const client = this.connectAs(token);
      await client.list(resources.ModelService, { namespace }).finally(() => client.close());
      return true;
    });
    return token;
  }

  /** Connects with a token and nothing else. */
  connectAs(token: string): HttpKubeClient {
    const admin = new KubeConfig();
    admin.loadFromString(readFileSync(this.#city.kubeconfigPath, 'utf8'));
    const config = new KubeConfig();
    config.loadFromClusterAndUser(admin.getCurrentCluster()!, { name: 'city', token });
    return new HttpKubeClient({ loadConfig: () => config });
  }

  async stop(): Promise<void> {
    for (const name of this.#added) {
      await this.admin.delete(resources.CityCluster, { name }).catch(() => {});
    }
    this.#stop.abort();
    await this.#running;
    await removeOperatorAccount(this.#city);
    await Promise.all([this.operator.close(), this.admin.close()]);
  }
}
