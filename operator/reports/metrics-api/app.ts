/**
 * `custom.metrics.k8s.io` as an aggregated API: discovery for everybody whom the API server vouches for, metrics for
 * those who may read them. Refusals are `metav1.Status`, as clients of an API server expect.
 */
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import { isKubeError } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PodLookup } from '../endpoint.ts';
import type { ReplicaReport, ReplicaReports } from '../registry.ts';
import { clientCertificateOf } from '../tls-server.ts';
import type { MetricAuthorizer } from './authorization.ts';
import {
  groupDocument,
  groupListDocument,
  isMetricsVersion,
  METRICS_GROUP,
  openApiV2Document,
  openApiV3Document,
  resourceListDocument,
} from './discovery.ts';
import { LabelSelectorError, parseLabelSelector } from './label-selector.ts';
import { reportedMetric } from './metrics.ts';
import { type RequestHeaderConfig, type UserInfo, userBehind } from './request-header.ts';
import { SERVICE_RESOURCE, type ServiceLoadLookup, serviceMetricList } from './service-metrics.ts';
import { hasLoad, type Measurement, metricValueList } from './values.ts';

export interface MetricsApiOptions {
  readonly reports: ReplicaReports;
  readonly podOf: PodLookup;
  /** On a hub: what is known of a service over all cities. */
  readonly serviceLoad?: ServiceLoadLookup;
  readonly authorizer: Pick<MetricAuthorizer, 'mayGet'>;
  readonly requestHeaderConfig: () => RequestHeaderConfig | undefined;
  /** Only the leader receives reports; any other replica knows nothing and must not answer with nothing. */
  readonly leads: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** All paths of the TLS port but the reports': the aggregated API and the probes. */
export function metricsApi(options: MetricsApiOptions): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  for (const probe of ['/livez', '/readyz', '/healthz'])
    app.get(probe, (_, response) => void response.type('text/plain').send('ok'));

  app.use(readOnly, authenticate(options));
  app.get('/apis', document(groupListDocument));
  app.get(`/apis/${METRICS_GROUP}`, document(groupDocument));
  app.get('/openapi/v2', document(openApiV2Document));
  app.get('/openapi/v3', document(openApiV3Document));
  app.get(`/apis/${METRICS_GROUP}/:version`, (request, response) => {
    const { version } = request.params;
    if (!isMetricsVersion(version)) return notFound(request, response);
    response.json(resourceListDocument(version, options.serviceLoad !== undefined));
  });
  app.get(`/apis/${METRICS_GROUP}/:version/namespaces/:namespace/pods/:name/:metric`, metrics(options));
  if (options.serviceLoad) {
    app.get(
      `/apis/${METRICS_GROUP}/:version/namespaces/:namespace/${SERVICE_RESOURCE}/:name/:metric`,
      serviceMetrics(options, options.serviceLoad),
    );
  }
  app.use(notFound);
  app.use(failed(options));
  return app;
}

const document =
  (body: object): RequestHandler =>
  (_request, response) =>
    void response.json(body);

const readOnly: RequestHandler = (request, response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  refuse(response, 405, 'MethodNotAllowed', `${request.method} is not offered here, only GET`);
};

function authenticate({ requestHeaderConfig }: MetricsApiOptions): RequestHandler {
  return (request, response, next) => {
    const user = userBehind(requestHeaderConfig(), clientCertificateOf(request), request.headersDistinct);
    if (!user)
      return refuse(response, 401, 'Unauthorized', 'ask through the API server; it vouches for its users');
    response.locals['user'] = user;
    next();
  };
}

function metrics({ reports, podOf, authorizer, leads, clock }: MetricsApiOptions): RequestHandler {
  const measured = (replica: ReplicaReport): Measurement => ({
    replica,
    timestamp: new Date(clock.now().getTime() - reports.ageSeconds(replica) * 1000),
  });

  return async (request, response) => {
    const { version, namespace, name, metric: metricName } = request.params as Record<string, string>;
    if (!isMetricsVersion(version!)) return notFound(request, response);
    const access = { version, namespace: namespace!, name: name!, metric: metricName! };
    const user = response.locals['user'] as UserInfo;
    if (!(await authorizer.mayGet(user, access))) {
      const what = `get resource "pods/${metricName}" in API group "${METRICS_GROUP}" in the namespace "${namespace}"`;
      return refuse(response, 403, 'Forbidden', `User "${user.username}" cannot ${what}`);
    }
    const metric = reportedMetric(metricName!);
    if (!metric) return noSuchMetric(response, access);
    if (!leads()) return doesNotLead(response);
    const replicas = reports
      .inNamespace(namespace!)
      .filter((replica) => hasLoad(replica) && reports.isFresh(replica));
    if (name !== '*') {
      const replica = replicas.find(({ pod }) => pod.name === name && isAlive(podOf, pod));
      if (!replica) return noSuchMetric(response, access);
      return void response.json(metricValueList(version, metric, [measured(replica)]));
    }
    const ofPod = parseLabelSelector(selectorIn(request, 'labelSelector'));
    const ofMetric = parseLabelSelector(selectorIn(request, 'metricLabelSelector'));
    // Our metrics have no labels of their own.
    const selected = !ofMetric({}) ? [] : replicas.filter(({ pod }) => isAlive(podOf, pod, ofPod));
    response.json(metricValueList(version, metric, selected.map(measured)));
  };
}

function serviceMetrics(
  { authorizer, leads, clock }: MetricsApiOptions,
  loadOf: ServiceLoadLookup,
): RequestHandler {
  return async (request, response) => {
    const { version, namespace, name, metric } = request.params as Record<string, string>;
    if (!isMetricsVersion(version!)) return notFound(request, response);
    const access = { version, namespace: namespace!, name: name!, metric: metric! };
    const user = response.locals['user'] as UserInfo;
    if (!(await authorizer.mayGet(user, { ...access, resource: SERVICE_RESOURCE }))) {
      const what = `get resource "${SERVICE_RESOURCE}/${metric}" in API group "${METRICS_GROUP}" in the namespace "${namespace}"`;
      return refuse(response, 403, 'Forbidden', `User "${user.username}" cannot ${what}`);
    }
    if (!leads()) return doesNotLead(response);
    const load = loadOf(namespace!, name!);
    const list = load && serviceMetricList(access, load, clock.now());
    if (list) return void response.json(list);
    const whose = `modelservice ${namespace}/${name}`;
    refuse(response, 404, 'NotFound', `the server could not find the metric ${metric} for ${whose}`);
  };
}

function doesNotLead(response: Response): void {
  response.set('retry-after', '1').set('connection', 'close');
  refuse(response, 503, 'ServiceUnavailable', 'this replica of the operator does not lead');
}

function isAlive(
  podOf: PodLookup,
  { namespace, name, uid }: ReplicaReport['pod'],
  matches: ReturnType<typeof parseLabelSelector> = () => true,
): boolean {
  const pod = podOf(namespace, name);
  return pod?.metadata.uid === uid && matches(pod.metadata.labels ?? {});
}

function selectorIn(request: Request, parameter: string): string {
  const value = request.query[parameter] ?? '';
  if (typeof value !== 'string') throw new LabelSelectorError(`${parameter} is given more than once`);
  return value;
}

function noSuchMetric(
  response: Response,
  { namespace, name, metric }: { namespace: string; name: string; metric: string },
): void {
  const whose = name === '*' ? 'pods' : `pod ${namespace}/${name}`;
  refuse(response, 404, 'NotFound', `the server could not find the metric ${metric} for ${whose}`);
}

function notFound(request: Request, response: Response): void {
  refuse(response, 404, 'NotFound', `the server could not find ${request.path}`);
}

function failed({ log }: MetricsApiOptions): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    if (error instanceof LabelSelectorError) return refuse(response, 400, 'BadRequest', error.message);
    if (error instanceof URIError) return refuse(response, 400, 'BadRequest', 'the path is not a valid URL');
    if (isKubeError(error)) {
      log.warn({ err: error }, 'access to a metric cannot be reviewed');
      response.set('retry-after', '2');
      return refuse(
        response,
        503,
        'ServiceUnavailable',
        'the API server cannot be asked who may read metrics',
      );
    }
    log.error({ err: error }, 'a request for metrics failed unexpectedly');
    refuse(
      response,
      500,
      'InternalError',
      'the request failed unexpectedly; the log of the operator says why',
    );
  };
}

function refuse(response: Response, code: number, reason: string, message: string): void {
  response
    .status(code)
    .json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code });
}
