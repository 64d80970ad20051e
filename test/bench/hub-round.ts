/** What a hub costs that has hundreds of cities: the operator as a process of its own, a real API server, played cities. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { API_VERSION } from '../../crds/model-service.ts';
import { REGION_LABELS } from '../../crds/region.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import { resources } from '../../operator/kube/resources.ts';
import { applyAll, operatorConfig, operatorService } from '../api/operator-account.ts';
import { bundleOperator } from '../region/bundle.ts';
import type { City } from '../region/city.ts';
import { say, step } from '../region/progress.ts';
import { startCity } from '../region/start-city.ts';
import { BareClient } from './bare-client.ts';
import { ManyCities } from './many-cities.ts';
import { OperatorProcess, untilPortsAreFree } from './operator-process.ts';
import { between } from './operator-round.ts';
import type { Usage } from './probe.ts';

export interface HubRoundOptions {
  readonly cities: number;
  readonly servicesPerCity: number;
  /** Where the hub leaves a CPU profile of its whole life. */
  readonly profileDirectory?: string | undefined;
}

export interface HubTimes {
  /** From the first ModelService until every replica is ready in a city. */
  readonly placingSeconds: number;
  readonly placing: Usage;
  /** While nothing happens but heartbeats. */
  readonly atRest: Usage;
  readonly restSeconds: number;
  readonly messagesAtRest: number;
  /** From the last word of a city until all its replicas were ready elsewhere, less the grace. */
  readonly failoverSeconds: number;
  readonly peakResidentBytes: number;
}

const OPERATOR_NAMESPACE = 'aicity-system';
const CONNECTIONS = 16;
const TIMEOUT_SECONDS = 1_800;
const REST_SECONDS = 120;
const PROGRESS_SECONDS = 10;
const GRACE_SECONDS = 90;
/** What Node takes by itself inside the chart's memory limit of 512 MiB, and what the image tells it. */
const HEAP = '--max-old-space-size=256 --max-semi-space-size=16';
/** Cities are filled to a part, so that one of them can be lost. */
const FILL = 0.6;

export async function hubRound(options: HubRoundOptions): Promise<HubTimes> {
  const { cities, servicesPerCity, profileDirectory } = options;
  const cluster = await startCity({ name: 'bench-hub', light: true });
  const directory = mkdtempSync(join(tmpdir(), 'aicity-bench-'));
  const client = new HttpKubeClient({ loadConfig: fromFile(cluster.kubeconfigPath), maxCalls: CONNECTIONS });
  let operator: OperatorProcess | undefined;
  try {
    operator = await startHub(cluster, directory, profileDirectory);
    const names = Array.from({ length: cities }, (_, at) => `city-${at + 1}`);
    return await measure({ cluster, client, operator, names, services: cities * servicesPerCity });
  } finally {
    operator?.kill();
    await client.close();
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startHub(
  cluster: City,
  directory: string,
  profileDirectory: string | undefined,
): Promise<OperatorProcess> {
  for (const name of ['modelservices', 'cityclusters', 'cityreports']) {
    const definition = join(import.meta.dirname, `../../crds/${name}.aicity.io.yaml`);
    await cluster.apply(readFileSync(definition, 'utf8'));
    await cluster.kubectl(['wait', '--for=condition=Established', `crd/${name}.aicity.io`, '--timeout=60s']);
  }
  await cluster.kubectl(['create', 'namespace', OPERATOR_NAMESPACE]);
  await applyAll(cluster, [operatorService(OPERATOR_NAMESPACE)]);
  const config = await operatorConfig(cluster, OPERATOR_NAMESPACE, ['metricsAdapter', 'hub']);
  const kubeconfigPath = join(directory, 'kubeconfig');
  writeFileSync(kubeconfigPath, config.exportConfig(), { mode: 0o600 });
  for (const [name, content] of await bundleOperator()) writeFileSync(join(directory, name), content);
  await untilPortsAreFree(600);
  const operator = new OperatorProcess({
    programPath: join(directory, 'operator.mjs'),
    kubeconfigPath,
    namespace: OPERATOR_NAMESPACE,
    address: await cluster.hostAddress(),
    modelServerImage: 'aicity/model-server:bench',
    logPath: join(directory, 'hub.log'),
    profileDirectory,
    environment: { AICITY_HUB: 'enabled', NODE_OPTIONS: HEAP },
  });
  await operator.untilLookedAt(0, 120);
  return operator;
}

interface Scene {
  readonly cluster: City;
  readonly client: HttpKubeClient;
  readonly operator: OperatorProcess;
  readonly names: readonly string[];
  readonly services: number;
}

async function measure(scene: Scene): Promise<HubTimes> {
  const { cluster, client, operator, names, services } = scene;
  const admin = new KubeConfig();
  admin.loadFromFile(cluster.kubeconfigPath);
  const person = new BareClient(admin, CONNECTIONS);
  const gpus = Math.ceil(services / names.length / FILL);
  const cities = new ManyCities({ client, names, gpus, heartbeatSeconds: GRACE_SECONDS / 3 });
  try {
    await step(`adding ${names.length} cities`, async () => {
      await person.applyAll(names.map(cityCluster));
      await cluster.until('every city has its heartbeat', TIMEOUT_SECONDS, async () => {
        const leases = await client.list(resources.Lease, { labelSelector: REGION_LABELS.city });
        return leases.items.length === names.length;
      });
    });
    await cities.start();
    const before = await operator.usage();
    const startedAt = performance.now();
    await step(`placing ${services} services`, async () => {
      await Promise.all([person.applyAll(placedServices(services)), untilReady(scene, cities)]);
    });
    const placingSeconds = (performance.now() - startedAt) / 1000;
    const placed = await operator.usage();
    // Statuses and figures of the cities are told a little later.
    await sleep(30);
    const settled = await operator.usage();
    const messages = cities.messages;
    await step('resting', () => sleep(REST_SECONDS));
    const rested = await operator.usage();
    const messagesAtRest = cities.messages - messages;
    await cities.lose(names[0]!);
    const lostAt = performance.now();
    await step('losing a city', () => untilReady(scene, cities));
    const failoverSeconds = (performance.now() - lostAt) / 1000 - GRACE_SECONDS;
    cities.check();
    const { peakResidentBytes } = await operator.usage();
    await operator.stop();
    return {
      placingSeconds,
      placing: between(before, placed),
      atRest: between(settled, rested),
      restSeconds: REST_SECONDS,
      messagesAtRest,
      failoverSeconds,
      peakResidentBytes,
    };
  } finally {
    await cities.stop();
    await person.close();
  }
}

async function untilReady({ operator, services: replicas }: Scene, cities: ManyCities): Promise<void> {
  const startedAt = performance.now();
  const deadline = startedAt + TIMEOUT_SECONDS * 1000;
  const readyAtFirst = cities.ready;
  const progress = setInterval(() => {
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = (cities.ready - readyAtFirst) / seconds;
    say(`${cities.ready} of ${replicas} replicas are ready, ${rate.toFixed(0)} more in a second`);
  }, PROGRESS_SECONDS * 1000);
  try {
    await untilAllReady(operator, replicas, cities, deadline);
  } finally {
    clearInterval(progress);
  }
}

async function untilAllReady(
  operator: OperatorProcess,
  replicas: number,
  cities: ManyCities,
  deadline: number,
): Promise<void> {
  while (cities.ready < replicas) {
    cities.check();
    operator.check();
    if (performance.now() > deadline)
      throw new Error(`only ${cities.ready} of ${replicas} replicas are ready`);
    await sleep(0.1);
  }
}

function cityCluster(name: string, at: number) {
  const labels = { region: `region-${at % 20}` };
  const object = { apiVersion: API_VERSION, kind: 'CityCluster', metadata: { name, labels }, spec: {} };
  return { resource: resources.CityCluster, object };
}

function placedServices(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    resource: resources.ModelService,
    object: {
      apiVersion: API_VERSION,
      kind: 'ModelService',
      metadata: { name: `service-${at + 1}`, namespace: 'default' },
      spec: {
        model: { uri: `https://models.example.org/traffic/${at + 1}`, version: 3 },
        replicas: 1,
        gpu: { count: 1 },
        resources: { requests: { cpu: '100m', memory: '512Mi' } },
        placement: { priority: at % 4, failover: { graceSeconds: GRACE_SECONDS } },
      },
    },
  }));
}

async function sleep(seconds: number): Promise<void> {
  await new Promise((later) => setTimeout(later, seconds * 1000));
}
