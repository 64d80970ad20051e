/** The hub's side of one city, played by a test: the objects of the city's namespace, written and read by hand. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import type { CityReport, CityReportBody, ClaimStatus } from '../../crds/city-report.ts';
import type { ModelService } from '../../crds/model-service.ts';
import {
  CITY_OBJECTS,
  CITY_ROLE_NAME,
  cityNamespace,
  REGION_ANNOTATIONS,
  REGION_LABELS,
  type ShareGrant,
} from '../../crds/region.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import { resources } from '../../operator/kube/resources.ts';
import type { HeartbeatLease } from '../../operator/plan/agent/heartbeat.ts';
import { joiningSteps, tokenSecret } from '../../operator/plan/hub/joining.ts';
import { GRANTS } from '../../operator/rbac/grants.ts';
import type { City } from '../region/city.ts';

export class HubByHand {
  readonly city: string;
  readonly namespace: string;
  readonly client: HttpKubeClient;
  /** A kubeconfig with the city's own token and no other rights. */
  readonly kubeconfigPath: string;
  readonly #cluster: City;
  #epoch = 0;

  private constructor(cluster: City, city: string) {
    this.#cluster = cluster;
    this.city = city;
    this.namespace = cityNamespace(city);
    this.client = new HttpKubeClient({ loadConfig: fromFile(cluster.kubeconfigPath) });
    this.kubeconfigPath = join(mkdtempSync(join(tmpdir(), 'aicity-hub-')), 'kubeconfig');
  }

  /** Makes all that a city needs to dial in. */
  static async start(cluster: City, city: string, { heartbeatSeconds = 30 } = {}): Promise<HubByHand> {
    const hub = new HubByHand(cluster, city);
    for (const plural of ['modelservices', 'cityclusters', 'cityreports']) {
      const crd = readFileSync(new URL(`../../crds/${plural}.aicity.io.yaml`, import.meta.url), 'utf8');
      await cluster.apply(crd);
      await cluster.kubectl([
        'wait',
        '--for=condition=Established',
        `crd/${plural}.aicity.io`,
        '--timeout=60s',
      ]);
    }
    await cluster.apply(JSON.stringify(cityRole()));
    await cluster.apply(JSON.stringify({ ...cityCluster(city) }));
    const { metadata } = JSON.parse(await cluster.kubectl(['get', 'citycluster', city, '-o', 'json']));
    for (const step of joiningSteps({ metadata }, { namespace: 'aicity-system', name: 'aicity-operator' })) {
      for (const { object } of step) await cluster.apply(JSON.stringify(object));
    }
    await hub.say({ [REGION_ANNOTATIONS.heartbeatSeconds]: String(heartbeatSeconds) });
    await hub.writeKubeconfig();
    return hub;
  }

  /** Writes the kubeconfig with the token that is valid now. */
  async writeKubeconfig(): Promise<void> {
    let token = '';
    await this.#cluster.until('the token is there', 60, async () => {
      const path = 'jsonpath={.data.token}';
      const args = ['get', 'secret', CITY_OBJECTS.tokenSecret, '-n', this.namespace, '-o', path];
      token = Buffer.from(await this.#cluster.kubectl(args), 'base64').toString();
      return token !== '';
    });
    const admin = new KubeConfig();
    admin.loadFromFile(this.#cluster.kubeconfigPath);
    const config = new KubeConfig();
    config.loadFromClusterAndUser(admin.getCurrentCluster()!, { name: this.city, token });
    writeFileSync(this.kubeconfigPath, config.exportConfig(), { mode: 0o600 });
  }

  /** Takes the city's token back. */
  async revokeToken(): Promise<void> {
    await this.#cluster.kubectl(['delete', 'secret', CITY_OBJECTS.tokenSecret, '-n', this.namespace]);
  }

  /** Gives the city a token again, under the same name. */
  async giveToken(): Promise<void> {
    await this.#cluster.apply(JSON.stringify(tokenSecret(this.city)));
    await this.writeKubeconfig();
  }

  /** Writes annotations of the heartbeat as a hub does. */
  async say(annotations: Record<string, string>): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations } });
    const lease = ['lease', CITY_OBJECTS.lease, '-n', this.namespace];
    await this.#cluster.kubectl(['patch', ...lease, '--type=merge', '-p', patch]);
  }

  /**
   * Writes a share with a grant for the session that the city is in, and waits until the city says that it obeys it. As
   * every hub does, it grants anew when a city that a slow machine kept from beating has begun a new session meanwhile.
   */
  async grant(
    key: string,
    floor: number,
    { ceiling = floor, spec = {} }: { ceiling?: number; spec?: object } = {},
  ): Promise<ShareGrant> {
    let grant: ShareGrant = { epoch: 0, session: '', floor, ceiling };
    await this.until(`the grant for ${key} is obeyed`, async () => {
      const session = await this.session();
      if (grant.session !== session) {
        const next = { ...grant, epoch: this.#epoch + 1, session };
        await this.writeShare(key, next, spec);
        grant = next;
      }
      return (await this.claim(key))?.epoch === grant.epoch;
    });
    return grant;
  }

  /** Writes a share as it is, with any grant; what is granted after it has a higher epoch. */
  async writeShare(key: string, grant: ShareGrant, spec: object = {}): Promise<void> {
    this.#epoch = Math.max(this.#epoch, grant.epoch);
    const [serviceNamespace = '', serviceName = ''] = key.split('/');
    const { floor, ceiling } = grant;
    const autoscaling = ceiling > floor && floor > 0 ? { autoscaling: { maxReplicas: ceiling } } : {};
    const share = {
      apiVersion: 'aicity.io/v1alpha1',
      kind: 'ModelService',
      metadata: {
        name: shareName(key),
        namespace: this.namespace,
        labels: {
          [REGION_LABELS.city]: this.city,
          [REGION_LABELS.serviceNamespace]: serviceNamespace,
          [REGION_LABELS.serviceName]: serviceName,
        },
        annotations: { [REGION_ANNOTATIONS.grant]: JSON.stringify(grant) },
      },
      spec: {
        model: { uri: 'https://models.example/traffic' },
        gpu: { count: 0 },
        replicas: floor,
        ...autoscaling,
        ...spec,
      },
    };
    await this.client.apply(resources.ModelService, share, { fieldManager: 'hub', force: true });
  }

  async removeShare(key: string): Promise<void> {
    await this.client.delete(resources.ModelService, { namespace: this.namespace, name: shareName(key) });
  }

  async shares(): Promise<readonly ModelService[]> {
    return (await this.client.list<ModelService>(resources.ModelService, { namespace: this.namespace }))
      .items;
  }

  async report(): Promise<CityReportBody | undefined> {
    const name = { namespace: this.namespace, name: CITY_OBJECTS.report };
    return (await this.client.get<CityReport>(resources.CityReport, name)).report;
  }

  async claim(key: string): Promise<ClaimStatus | undefined> {
    return (await this.report())?.claims?.[key];
  }

  async lease(): Promise<HeartbeatLease> {
    const name = { namespace: this.namespace, name: CITY_OBJECTS.lease };
    return await this.client.get<HeartbeatLease & { metadata: { name: string } }>(resources.Lease, name);
  }

  /** The session of the report that is valid; waits for the first. */
  async session(): Promise<string> {
    let session = '';
    await this.until('the city has reported', async () => {
      const [report, { metadata }] = await Promise.all([this.report(), this.lease()]);
      const { annotations = {} } = metadata;
      session = report?.session ?? '';
      return (
        session !== '' &&
        annotations[REGION_ANNOTATIONS.session] === session &&
        annotations[REGION_ANNOTATIONS.sequence] === String(report?.sequence)
      );
    });
    return session;
  }

  async until(what: string, check: () => Promise<boolean>, seconds = 120): Promise<void> {
    await this.#cluster.until(what, seconds, check);
  }

  async stop(): Promise<void> {
    await this.client.close();
  }
}

function shareName(key: string): string {
  return key.replace('/', '-').toLowerCase();
}

function cityCluster(name: string): object {
  return { apiVersion: 'aicity.io/v1alpha1', kind: 'CityCluster', metadata: { name }, spec: {} };
}

function cityRole(): object {
  const { permissions } = GRANTS.find(({ name }) => name === CITY_ROLE_NAME)!;
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: CITY_ROLE_NAME },
    rules: permissions.map(({ apiGroup, why: _why, ...rule }) => ({ ...rule, apiGroups: [apiGroup] })),
  };
}
