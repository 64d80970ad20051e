/** The part of the operator that receives reports, running in this process against a real API server. */
import { pino } from 'pino';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import { serviceNames } from '../../operator/certificates/issue.ts';
import { CertificateKeeper } from '../../operator/certificates/keeper.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import {
  ENDPOINT_SLICE_NAME,
  METRICS_ADAPTER_ROLE_NAME,
  OPERATOR_NAME,
  TLS_SECRET_NAME,
} from '../../operator/rbac/names.ts';
import { createReports, type Reports } from '../../operator/reports/reports.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { Reflector } from '../../operator/runtime/reflector.ts';
import { Store } from '../../operator/runtime/store.ts';
import { Metrics } from '../../operator/telemetry/metrics.ts';

export const assignment: ModelAssignment = {
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

export interface RunningReports {
  readonly reports: Reports;
  readonly certificates: CertificateKeeper;
  readonly pods: Store<KubeObject>;
  readonly port: number;
  /** Refused reports by reason, from the metrics that Prometheus would read. */
  refused(): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** Starts it as the only, leading replica; `podIp` is where the cluster reaches this process. */
export async function runReports(options: {
  client: KubeClient;
  namespace: string;
  podIp: string;
  port: number;
  metricsAdapter: boolean;
}): Promise<RunningReports> {
  const { client, namespace, podIp, port } = options;
  const log = pino({ level: process.env['AICITY_LOG_LEVEL'] ?? 'silent' });
  const metrics = new Metrics();
  const stopping = new AbortController();
  const pods = new Store<KubeObject>();
  const reflector = new Reflector({
    client,
    resource: resources.Pod,
    store: pods,
    clock,
    log,
    selection: { namespace },
  });
  const certificates = new CertificateKeeper({
    client,
    clock,
    log,
    namespace,
    secretName: TLS_SECRET_NAME,
    names: serviceNames(OPERATOR_NAME, namespace),
  });
  const reports = createReports({
    client,
    clock,
    log,
    metrics,
    certificates,
    pods,
    leads: () => true,
    assignmentOf: (_, service) => (service === 'traffic' ? assignment : undefined),
    namespace,
    serviceName: OPERATOR_NAME,
    sliceName: ENDPOINT_SLICE_NAME,
    podName: `${OPERATOR_NAME}-0`,
    podIp,
    port,
    metricsAdapter: { enabled: options.metricsAdapter, ownerClusterRole: METRICS_ADAPTER_ROLE_NAME },
  });
  const listening = await reports.listen();
  const background = Promise.all([reflector.run(stopping.signal), reports.run(stopping.signal)]);
  await reflector.synced;
  await reports.lead(stopping.signal);
  return {
    reports,
    certificates,
    pods,
    port: listening,
    async refused() {
      const values =
        (await metrics.registry.getSingleMetric('aicity_reports_refused_total')?.get())?.values ?? [];
      return Object.fromEntries(values.map(({ labels, value }) => [String(labels['reason']), value]));
    },
    async stop() {
      await reports.stop();
      stopping.abort();
      await background;
      await client.close();
    },
  };
}
