/**
 * Every request that is answered, in one table, and which of them is meant: TensorFlow Serving's REST API and KServe
 * V1 (`/v1`), the Open Inference Protocol and Triton's additions (`/v2`), KServe's forecast API, health, metrics.
 * The router, `/openapi.json` and the documentation are all made of this table. Pure.
 */
import { MOST_WAIT_SECONDS, WAIT_PARAMETER } from './readiness.ts';

export interface Operation {
  readonly method: 'GET' | 'POST';
  /** `{model}` is any name. */
  readonly path: string;
  /** What may stand behind the model's name. */
  readonly which?: 'versions' | 'versions or labels';
  readonly summary: string;
  /** What may stand behind a `?`; of others nothing is said, and they are ignored. */
  readonly query?: { readonly name: string; readonly description: string; readonly schema: object };
}

export const OPERATIONS = {
  Home: { method: 'GET', path: '/', summary: 'What is served, with a request to copy.' },
  OpenApi: { method: 'GET', path: '/openapi.json', summary: 'This document: every request in OpenAPI 3.1.' },
  Live: {
    method: 'GET',
    path: '/v2/health/live',
    summary: '200 while the process is well, also while a model loads.',
  },
  Ready: {
    method: 'GET',
    path: '/v2/health/ready',
    summary: '200 when every model has answered an inference; 503 before, and while the server drains.',
    query: {
      name: WAIT_PARAMETER,
      description: `holds the answer while the server starts, until it is ready or cannot be; ${MOST_WAIT_SECONDS} at most.`,
      schema: { type: 'number', minimum: 0, maximum: MOST_WAIT_SECONDS },
    },
  },
  Metrics: { method: 'GET', path: '/metrics', summary: 'Figures for Prometheus.' },
  V1Models: { method: 'GET', path: '/v1/models', summary: 'The names that are served.' },
  V1Status: {
    method: 'GET',
    path: '/v1/models/{model}',
    which: 'versions or labels',
    summary: 'TensorFlow Serving status, with the `name` and `ready` of KServe V1.',
  },
  V1Metadata: {
    method: 'GET',
    path: '/v1/models/{model}/metadata',
    which: 'versions or labels',
    summary: 'TensorFlow Serving signatures.',
  },
  V1Predict: {
    method: 'POST',
    path: '/v1/models/{model}:predict',
    which: 'versions or labels',
    summary: 'TensorFlow Serving prediction: `instances` (rows) or `inputs` (columns).',
  },
  V1Classify: {
    method: 'POST',
    path: '/v1/models/{model}:classify',
    which: 'versions or labels',
    summary: 'TensorFlow Serving classification of `examples`, by signatures that were made for it.',
  },
  V1Regress: {
    method: 'POST',
    path: '/v1/models/{model}:regress',
    which: 'versions or labels',
    summary: 'TensorFlow Serving regression of `examples`, by signatures that were made for it.',
  },
  ForecastModels: {
    method: 'GET',
    path: '/v1/timeseries/models',
    summary: 'The names of the models that forecast.',
  },
  Forecast: {
    method: 'POST',
    path: '/v1/timeseries/forecast',
    summary: 'KServe forecast of time series, by models that declare in `aicity.json` that they forecast.',
  },
  V2Server: { method: 'GET', path: '/v2', summary: 'Open Inference Protocol server metadata.' },
  V2Models: { method: 'GET', path: '/v2/models', summary: 'The names that are served.' },
  V2AllStats: {
    method: 'GET',
    path: '/v2/models/stats',
    summary: 'Statistics of all models, as Triton writes them.',
  },
  V2Metadata: {
    method: 'GET',
    path: '/v2/models/{model}',
    which: 'versions',
    summary: 'Open Inference Protocol model metadata.',
  },
  V2Ready: {
    method: 'GET',
    path: '/v2/models/{model}/ready',
    which: 'versions',
    summary: 'Readiness of the model.',
  },
  V2Stats: {
    method: 'GET',
    path: '/v2/models/{model}/stats',
    which: 'versions',
    summary: 'Statistics of the model, as Triton writes them.',
  },
  V2Infer: {
    method: 'POST',
    path: '/v2/models/{model}/infer',
    which: 'versions',
    summary: 'Open Inference Protocol inference, with the binary tensor extension.',
  },
  RepositoryIndex: {
    method: 'POST',
    path: '/v2/repository/index',
    summary: 'Every version of every model, with its state.',
  },
  RepositoryLoad: {
    method: 'POST',
    path: '/v2/repository/models/{model}/load',
    summary: 'Loads a model, or loads it afresh; refused under the operator, where the ModelService decides.',
  },
  RepositoryUnload: {
    method: 'POST',
    path: '/v2/repository/models/{model}/unload',
    summary: 'Serves a model no longer; refused under the operator.',
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof OPERATIONS;
/** Requests that concern the model in their path. */
export type ModelAction = {
  [N in OperationName]: (typeof OPERATIONS)[N]['path'] extends `${string}{model}${string}` ? N : never;
}[OperationName];

export type Route =
  | { [K in Exclude<OperationName, ModelAction>]: { kind: K } }[Exclude<OperationName, ModelAction>]
  | { kind: 'Model'; action: ModelAction; model: string; version?: string; label?: string }
  | { kind: 'MethodNotAllowed'; allow: 'GET' | 'POST'; path: string }
  | { kind: 'Unknown'; path: string };

/** The paths of an operation: with and without a version or label. */
export function pathsOf({ path, which }: Operation): string[] {
  const kinds = which === undefined ? [] : which === 'versions' ? ['versions'] : ['versions', 'labels'];
  const parameters = { versions: '{version}', labels: '{label}' } as Readonly<Record<string, string>>;
  return [path, ...kinds.map((kind) => path.replace('{model}', `{model}/${kind}/${parameters[kind]}`))];
}

const named = Object.entries(OPERATIONS) as [OperationName, Operation][];
const fixed = new Map(
  named.filter(([, { path }]) => !path.includes('{')).map((each) => [each[1].path, each]),
);
/** What stands around the name of the model, such as `/v1/models/` and `:predict`. */
const around = new Map(
  named.filter(([, { path }]) => path.includes('{')).map((each) => [each[1].path, each]),
);

const MODEL = /^(\/v[12]\/(?:repository\/)?models\/)([^/:]+)(?:\/(versions|labels)\/([^/:]+))?([/:][a-z]+)?$/;

/** Routes of late by request target: clients ask for the same ones again and again. Far more than any has in use. */
const known = new Map<string, Route>();
const MOST_KNOWN = 256;
const LONGEST_KNOWN = 256;

/** @param target the request target as it stands in the request line; a query is ignored. */
export function routeOf(method: string, target: string): Route {
  // Only POST, so that what asks for nonsense or metrics does not push inferences out.
  if (method !== 'POST' || target.length > LONGEST_KNOWN) return newRouteOf(method, target);
  const found = known.get(target);
  if (found) return found;
  const route = newRouteOf(method, target);
  if (route.kind === 'Unknown') return route;
  if (known.size === MOST_KNOWN) known.clear();
  known.set(target, route);
  return route;
}

function newRouteOf(method: string, target: string): Route {
  const query = target.indexOf('?');
  const path = stripSlash(query < 0 ? target : target.slice(0, query));
  const plain = fixed.get(path);
  if (plain) {
    const [kind, operation] = plain;
    if (!allows(operation.method, method)) return { kind: 'MethodNotAllowed', allow: operation.method, path };
    return { kind } as Route;
  }
  return modelRoute(method, path) ?? { kind: 'Unknown', path };
}

function modelRoute(method: string, path: string): Route | undefined {
  const found = MODEL.exec(path);
  if (!found) return undefined;
  const [, before, model = '', kind, which, after = ''] = found;
  const operationThere = around.get(`${before}{model}${after}`);
  const name = decoded(model);
  if (!operationThere || name === undefined) return undefined;
  const [action, operation] = operationThere as [ModelAction, Operation];
  if (kind !== undefined && !operation.which?.includes(kind)) return undefined;
  if (!allows(operation.method, method)) return { kind: 'MethodNotAllowed', allow: operation.method, path };
  const chosen = kind === 'versions' ? { version: which as string } : kind ? { label: which as string } : {};
  return { kind: 'Model', action, model: name, ...chosen };
}

function allows(wanted: 'GET' | 'POST', method: string): boolean {
  return method === wanted || (wanted === 'GET' && method === 'HEAD');
}

function stripSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function decoded(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
