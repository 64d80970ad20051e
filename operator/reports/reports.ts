/**
 * All of this folder, put together: one TLS port for reports and metrics, the registry behind it, and what has to be
 * done around it in the cluster.
 *
 * ```
 * const reports = createReports({ … });
 * const port = await reports.listen();           // every replica
 * void reports.run(signal);                      // every replica: certificates, trust, staleness
 * await reports.lead(signal);                    // on taking the lease, after the pod store is synced
 * await reports.stop();                          // on the way out
 * ```
 */
import type { Express } from 'express';
import type { Logger } from 'pino';
import { REPORT_PATH } from '../../crds/pod-contract.ts';
import type { CertificateKeeper } from '../certificates/keeper.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Store } from '../runtime/store.ts';
import type { ReportMetrics } from '../telemetry/metrics.ts';
import { MetricsRegistration } from './apiservice.ts';
import { type AssignmentLookup, type PodLookup, type ReportEndpoint, reportEndpoint } from './endpoint.ts';
import { LeaderEndpoint } from './leader-endpoint.ts';
import { metricsApi } from './metrics-api/app.ts';
import { MetricAuthorizer } from './metrics-api/authorization.ts';
import type { ServiceLoadLookup } from './metrics-api/service-metrics.ts';
import { RequestHeaderTrust } from './metrics-api/trust.ts';
import { ReportRegistry } from './registry.ts';
import { SenderCheck } from './sender.ts';
import { type Handler, TlsServer } from './tls-server.ts';

export interface ReportsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ReportMetrics;
  readonly certificates: CertificateKeeper;
  /** The pods that this operator manages, at least; their labels and annotations are read. */
  readonly pods: Pick<Store<KubeObject>, 'cluster' | 'get' | 'subscribe'>;
  readonly assignmentOf: AssignmentLookup;
  /** Whether this replica holds the lease at this moment. */
  readonly leads: () => boolean;
  /** The operator's own namespace, Service and pod. */
  readonly namespace: string;
  readonly serviceName: string;
  readonly sliceName: string;
  readonly podName: string;
  readonly podIp: string;
  readonly port: number;
  /** On a hub: what is known of a service over all cities, for autoscalers that scale it as a whole. */
  readonly serviceLoad?: ServiceLoadLookup;
  readonly metricsAdapter: { readonly enabled: boolean; readonly ownerClusterRole: string };
}

export interface Reports {
  readonly registry: ReportRegistry;
  /** Who serves custom.metrics.k8s.io; await `registration.ready` before the first plan. */
  readonly registration: MetricsRegistration;
  /** Opens the port; handshakes fail until there is a certificate. Returns the port. */
  listen(): Promise<number>;
  /** Background work of every replica until `signal` aborts; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Starts to take reports and points the Service here; tries again until that is done or `signal` aborts. */
  lead(signal: AbortSignal): Promise<void>;
  /** Hands the Service over, as far as that works, and closes the port. */
  stop(): Promise<void>;
}

const SWEEP_EVERY_SECONDS = 1;
const CLAIM_EVERY_SECONDS = 30;
const RETRY_SECONDS = 2;

export function createReports(options: ReportsOptions): Reports {
  const { client, clock, certificates, pods, port } = options;
  const log = options.log.child({ part: 'reports' });
  const registry = new ReportRegistry({ clock });
  let hasClaimed = false;
  const leads = () => hasClaimed && options.leads();
  const podOf: PodLookup = (namespace, name) => pods.get({ cluster: pods.cluster, namespace, name });

  const server = new TlsServer({ handler: (request, response) => handler(request, response), log });
  const trust = new RequestHeaderTrust({
    client,
    clock,
    log,
    onClientAuthority: (pem) => server.useClientAuthority(pem),
  });
  const handler = route(
    reportEndpoint({
      registry,
      senders: new SenderCheck({ client, clock, log }),
      podOf,
      assignmentOf: options.assignmentOf,
      leads,
      clock,
      metrics: options.metrics,
      log,
    }),
    metricsApi({
      reports: registry,
      podOf,
      authorizer: new MetricAuthorizer({ client, clock }),
      requestHeaderConfig: () => trust.config,
      ...(options.serviceLoad ? { serviceLoad: options.serviceLoad } : {}),
      leads,
      clock,
      log,
    }),
  );
  const endpoint = new LeaderEndpoint({ ...options, log });
  const registration = new MetricsRegistration({
    client,
    clock,
    log,
    ...options.metricsAdapter,
    service: { namespace: options.namespace, name: options.serviceName },
    caBundlePem: () => certificates.current?.caBundlePem,
  });
  certificates.onChange((identity) => server.useIdentity(identity));
  pods.subscribe(({ before, after }) => {
    const uid = before?.metadata.uid;
    if (uid !== undefined && uid !== after?.metadata.uid) registry.forget(uid);
  });

  async function sweepOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      registry.sweep();
      await clock.sleep(SWEEP_EVERY_SECONDS, signal);
    }
  }

  /** Repairs the EndpointSlice, too: a deposed leader's last write may have come late. */
  async function claimOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(CLAIM_EVERY_SECONDS, signal);
      if (!leads()) continue;
      await endpoint.claim(signal).catch((err: unknown) => {
        if (!signal.aborted) log.warn({ err }, 'the EndpointSlice could not be looked after, trying again');
      });
    }
  }

  return {
    registry,
    registration,
    listen: () => server.listen(port),
    async run(signal) {
      await Promise.all([
        certificates.run(signal, options.leads),
        sweepOn(signal),
        claimOn(signal),
        ...(options.metricsAdapter.enabled ? [trust.run(signal), registration.run(signal, leads)] : []),
      ]);
    },
    async lead(signal) {
      while (!signal.aborted) {
        try {
          await certificates.look(true, signal);
          hasClaimed = true;
          registry.beginListening();
          await endpoint.claim(signal);
          break;
        } catch (err) {
          if (!signal.aborted) log.warn({ err }, 'the lead could not be taken yet, trying again');
          await clock.sleep(RETRY_SECONDS, signal);
        }
      }
      // Soon, not within the next look; but nothing else waits for it, and failures are that loop's to tell.
      await registration.look(true, signal).catch(() => {});
    },
    async stop() {
      hasClaimed = false;
      await endpoint
        .release()
        .catch((err: unknown) => log.warn({ err }, 'the Service could not be handed over'));
      await server.close();
    },
  };
}

function route(reports: ReportEndpoint, everythingElse: Express): Handler {
  return async (request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (path === REPORT_PATH && request.method === 'POST') return reports(request, response);
    everythingElse(request, response);
  };
}
