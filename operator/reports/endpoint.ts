/**
 * `POST /v1/reports`: a replica reports, the reply says what to serve from now on. The checks go from cheap to dear,
 * and nothing of a report counts before all of them have passed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { ANNOTATIONS } from '../../crds/labels.ts';
import { LOAD_REPORT_MAX_BYTES, type LoadReport, type LoadReportReply } from '../../crds/load-report.ts';
import { type ModelAssignment, REPORT_INTERVAL_SECONDS } from '../../crds/pod-contract.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ReportMetrics } from '../telemetry/metrics.ts';
import { claimsAnother, reportIn, serviceOf } from './admission.ts';
import { RateLimit } from './rate-limit.ts';
import { REFUSALS, type Refused, refused } from './refusals.ts';
import type { ReportRegistry } from './registry.ts';
import type { SenderCheck } from './sender.ts';
import { bearerToken } from './token.ts';

/** Finds pods in a local copy; `store.get` of a pod store does. */
export type PodLookup = (namespace: string, name: string) => KubeObject | undefined;

/**
 * What a pod of a ModelService is to serve now; undefined when it keeps what it serves, and when there is no such
 * service (any more).
 *
 * @param podRevision the model that the pod was made for, if it was made for one
 */
export type AssignmentLookup = (
  namespace: string,
  service: string,
  podRevision: string | undefined,
) => ModelAssignment | undefined;

export interface ReportEndpointOptions {
  readonly registry: ReportRegistry;
  readonly senders: SenderCheck;
  readonly podOf: PodLookup;
  readonly assignmentOf: AssignmentLookup;
  /** Whether this replica's word counts; reports to any other are refused, so that the pods connect anew. */
  readonly leads: () => boolean;
  readonly clock: Clock;
  readonly metrics: ReportMetrics;
  readonly log: Logger;
}

export type ReportEndpoint = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function reportEndpoint(options: ReportEndpointOptions): ReportEndpoint {
  const { registry, senders, podOf, assignmentOf, metrics, clock } = options;
  const reportsOfPod = new RateLimit({ clock, perSecond: 2, burst: 10 });

  async function receive(request: IncomingMessage): Promise<LoadReportReply | Refused> {
    if (!options.leads()) return refused('NotLeading');
    const token = bearerToken(request.headers.authorization);
    if (!token) return refused('NoToken');
    if (Number(request.headers['content-length'] ?? 0) > LOAD_REPORT_MAX_BYTES) return refused('TooLarge');
    if (!isPlainJson(request)) return refused('NotJson');

    const sender = await senders.senderOf(token, request.socket.remoteAddress ?? '');
    if ('refusal' in sender) return sender;
    const waitSeconds = reportsOfPod.take(sender.podUid);
    if (waitSeconds > 0) return { refusal: 'TooFast', retryAfterSeconds: Math.ceil(waitSeconds) };
    const report = await readReport(request);
    if ('refusal' in report) return report;
    // Looked up when nothing is awaited any more, or a pod deleted meanwhile would be remembered for ever.
    const pod = podOf(sender.namespace, sender.podName);
    const service = serviceOf(sender, pod);
    if (typeof service !== 'string') return service;
    const claim = claimsAnother(report, sender, service);
    if (claim) return claim;

    registry.accept(report);
    const podRevision = pod!.metadata.annotations?.[ANNOTATIONS.modelRevision];
    const assignment = assignmentOf(sender.namespace, service, podRevision);
    return { ...(assignment && { assignment }), intervalSeconds: REPORT_INTERVAL_SECONDS };
  }

  return async (request, response) => {
    const outcome = await receive(request);
    if ('refusal' in outcome) {
      metrics.reportRefused(outcome.refusal);
      options.log.debug({ refusal: outcome.refusal, peer: request.socket.remoteAddress }, 'report refused');
      refuse(outcome, request, response);
    } else {
      metrics.reportReceived();
      send(response, 200, outcome);
    }
  };
}

function isPlainJson({ headers }: IncomingMessage): boolean {
  const [mediaType = ''] = (headers['content-type'] ?? '').split(';');
  return mediaType.trim().toLowerCase() === 'application/json' && !headers['content-encoding'];
}

async function readReport(request: IncomingMessage): Promise<LoadReport | Refused> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Left as it is when we stop reading: destroying it would take the connection and our reply with it.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > LOAD_REPORT_MAX_BYTES) return refused('TooLarge');
      chunks.push(chunk as Buffer);
    }
    return reportIn(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    const isSyntax = error instanceof SyntaxError;
    return refused('BadContent', isSyntax ? 'the report is not JSON' : 'the report broke off');
  }
}

/** Node skips what is left of a small body; a large one is not worth it, nor is a connection to the wrong replica. */
function refuse(outcome: Refused, request: IncomingMessage, response: ServerResponse): void {
  const [status, sentence] = REFUSALS[outcome.refusal];
  const { detail = sentence, retryAfterSeconds } = outcome;
  if (status === 503 || status === 429) response.setHeader('retry-after', `${retryAfterSeconds ?? 1}`);
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  const isBounded = request.complete || request.headers['content-length'] !== undefined;
  if (!isBounded || outcome.refusal === 'TooLarge' || outcome.refusal === 'NotLeading') {
    response.setHeader('connection', 'close');
  }
  send(response, status, { error: detail, reason: outcome.refusal });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}
