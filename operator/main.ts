/** The operator's process: reads the configuration, puts the parts together, leads or waits, and ends in good order. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { REPORT_PATH } from '../crds/pod-contract.ts';
import { serviceNames } from './certificates/issue.ts';
import { CertificateKeeper } from './certificates/keeper.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { HttpKubeClient } from './kube/http-client.ts';
import { byDefault } from './kube/kubeconfig.ts';
import { assignmentFor } from './plan/assignment.ts';
import type { CustomMetricsOwner, Settings } from './plan/observed.ts';
import {
  ENDPOINT_SLICE_NAME,
  LEASE_NAME,
  METRICS_ADAPTER_ROLE_NAME,
  OPERATOR_NAME,
  TLS_SECRET_NAME,
} from './rbac/names.ts';
import { createCityAgent } from './reconcile/agent/city-agent.ts';
import { City, cityCopies } from './reconcile/city.ts';
import { createHubRole } from './reconcile/hub/hub-role.ts';
import { regionLoadIn } from './reconcile/hub/region-load.ts';
import { createReports, type Reports } from './reports/reports.ts';
import { systemClock as clock } from './runtime/clock.ts';
import { KubeEventRecorder } from './runtime/events.ts';
import { LeaderElection } from './runtime/lease.ts';
import { StartupError, untilDefinitionIsServed } from './startup.ts';
import { reconcilesFinish, reflectorsSynced, reflectorsTurn, serveHealth } from './telemetry/health.ts';
import { createLogger } from './telemetry/logs.ts';
import { Metrics } from './telemetry/metrics.ts';

/** Kubernetes kills after 30; what is not finished by then is taken up by the next leader. */
const SHUTDOWN_SECONDS = 25;

async function run(config: Config): Promise<void> {
  const log = createLogger({ level: config.logLevel });
  const metrics = new Metrics();
  metrics.includeProcess();
  const client = new HttpKubeClient({ loadConfig: byDefault });
  // The lease never waits behind the leader's own work, of which there can be thousands of calls.
  const leaseClient = new HttpKubeClient({ loadConfig: byDefault, maxCalls: 1 });
  const events = new KubeEventRecorder({
    client,
    clock,
    log,
    reportingController: 'aicity.io/operator',
    reportingInstance: config.podName,
  });
  const { namespace, serviceName } = config;

  /** Aborts on SIGTERM: no new work. */
  const stopping = new AbortController();
  /** Aborts when the work is done: background tasks and the lease go last. */
  const ending = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info({ signal: name }, 'stopping');
      clock.after(SHUTDOWN_SECONDS, () => die('not stopped in time'));
      stopping.abort();
    });
  }
  const die = (reason: string, err?: unknown): never => {
    log.fatal({ reason, err }, 'the operator ends');
    process.exit(1);
  };
  process.on('uncaughtException', (err) => die('an error that no code expected', err));

  await untilDefinitionIsServed({ client, clock, log }, stopping.signal);

  const copies = cityCopies({ client, clock, log, metrics });
  const election = new LeaderElection({
    client: leaseClient,
    clock,
    log,
    metrics,
    namespace,
    name: LEASE_NAME,
    identity: `${config.podName}_${randomUUID()}`,
  });
  const leads = () => election.isLeader;
  const certificates = new CertificateKeeper({
    client,
    clock,
    log,
    events,
    namespace,
    secretName: TLS_SECRET_NAME,
    names: serviceNames(serviceName, namespace),
    labels: { 'app.kubernetes.io/name': OPERATOR_NAME },
  });
  const { modelServices, pods } = copies.stores;
  const reports = createReports({
    client,
    clock,
    log,
    metrics,
    certificates,
    pods,
    leads,
    assignmentOf(namespace, name, podRevision) {
      const service = modelServices.get({ cluster: '', namespace, name });
      return service && assignmentFor(service, podRevision);
    },
    namespace,
    serviceName,
    sliceName: ENDPOINT_SLICE_NAME,
    podName: config.podName,
    podIp: config.podIp,
    port: config.tlsPort,
    ...(config.hub ? { serviceLoad: regionLoadIn(modelServices) } : {}),
    metricsAdapter: { enabled: config.metricsAdapter, ownerClusterRole: METRICS_ADAPTER_ROLE_NAME },
  });
  const city = new City({
    client,
    clock,
    log,
    metrics,
    events,
    stores: copies.stores,
    isHub: config.hub,
    reports: reports.registry,
    customMetrics: () => customMetricsOwner(reports),
    settings: () => settingsOf(config, certificates.current?.caBundlePem ?? ''),
    forAll: [
      (listener) => certificates.onChange(listener),
      (listener) => reports.registration.onChange(listener),
    ],
  });

  const agent = createCityAgent(config.city, {
    client,
    clock,
    log,
    metrics,
    events,
    stores: copies.stores,
    leads,
    namespace,
    ...(config.operatorVersion ? { operatorVersion: config.operatorVersion } : {}),
    newSession: randomUUID,
  });

  const hub = createHubRole(config.hub, {
    client,
    clock,
    log,
    metrics,
    events,
    modelServices: copies.stores.modelServices,
    operatorNamespace: namespace,
  });
  const reflectors = [...copies.reflectors, ...hub.reflectors];

  await reports.listen();
  const probes = {
    liveness: {
      watches: reflectorsTurn(reflectors),
      reconciles: reconcilesFinish([city.controller, ...hub.controllers, ...agent.controllers]),
    },
    readiness: { copies: reflectorsSynced(reflectors) },
    registry: metrics.registry,
  };
  const servers = await Promise.all(
    [config.healthPort, config.metricsPort].map((port) => serveHealth({ ...probes, port })),
  );
  const background = Promise.all([
    copies.run(ending.signal),
    hub.follow(ending.signal),
    reports.run(ending.signal),
  ]);

  const stopped = once(stopping.signal, 'abort');
  await Promise.race([Promise.all([copies.synced, hub.synced]), stopped]);
  if (await election.win(stopping.signal)) {
    const held = election.hold(ending.signal);
    void held.then((outcome) => outcome === 'lost' && die('leadership was lost'));
    // Services are looked after even while the Service cannot be pointed at this pod.
    const leading = reports.lead(stopping.signal);
    const trusted = new Promise<void>((resolve) => certificates.onChange(() => resolve()));
    await Promise.race([Promise.all([trusted, reports.registration.ready]), stopped]);
    await Promise.all([city.run(stopping.signal), hub.lead(stopping.signal), agent.run(stopping.signal)]);
    await leading;
    await reports.stop();
    ending.abort();
    await held;
  } else {
    await reports.stop();
    ending.abort();
  }
  await background;
  await events.flush();
  await Promise.all(servers.map((server) => server.close()));
  await Promise.all([client.close(), leaseClient.close()]);
  log.info('stopped');
}

function settingsOf(config: Config, reportAuthorities: string): Settings {
  return {
    operatorNamespace: config.namespace,
    operatorPort: config.tlsPort,
    reportUrl: `https://${config.serviceName}.${config.namespace}.svc${REPORT_PATH}`,
    reportAuthorities,
    image: config.modelServerImage,
    gpuImage: config.modelServerGpuImage,
    imagePullPolicy: config.imagePullPolicy,
    imagePullSecrets: config.imagePullSecrets,
  };
}

function customMetricsOwner({ registration }: Reports): CustomMetricsOwner {
  switch (registration.owner) {
    case 'ours':
      return { kind: 'Ours' };
    case 'other':
      return { kind: 'Other', owner: registration.otherService ?? 'another adapter' };
    case 'none':
      return { kind: 'Other', owner: "nobody, as this operator's metrics adapter is turned off" };
  }
}

try {
  await run(readConfig(process.env));
  process.exit(0);
} catch (error) {
  const isPlain = error instanceof ConfigError || error instanceof StartupError;
  console.error(isPlain ? `aicity-operator: ${error.message}` : error);
  process.exit(1);
}
