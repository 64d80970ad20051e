/**
 * Which request is meant: TensorFlow Serving's REST API (`/v1`), the Open Inference Protocol (`/v2`), health, metrics.
 * Pure.
 */

/** Requests that concern one model. */
export type ModelAction = 'V1Status' | 'V1Metadata' | 'V1Predict' | 'V2Metadata' | 'V2Ready' | 'V2Infer';

export type Route =
  | { kind: 'Home' | 'Live' | 'Ready' | 'Metrics' | 'V1Models' | 'V2Models' | 'V2Server' }
  | { kind: 'Model'; action: ModelAction; model: string; version?: string }
  | { kind: 'MethodNotAllowed'; allow: 'GET' | 'POST'; path: string }
  | { kind: 'Unknown'; path: string };

const FIXED: Readonly<Record<string, Route>> = {
  '/': { kind: 'Home' },
  '/v2': { kind: 'V2Server' },
  '/v2/health/live': { kind: 'Live' },
  '/v2/health/ready': { kind: 'Ready' },
  '/v1/models': { kind: 'V1Models' },
  '/v2/models': { kind: 'V2Models' },
  '/metrics': { kind: 'Metrics' },
};

const MODEL = /^\/v([12])\/models\/([^/:]+)(?:\/versions\/([^/:]+))?(?:([/:])([a-z]+))?$/;

const ACTIONS: Readonly<Record<string, { action: ModelAction; method: 'GET' | 'POST' }>> = {
  '1': { action: 'V1Status', method: 'GET' },
  '1/metadata': { action: 'V1Metadata', method: 'GET' },
  '1:predict': { action: 'V1Predict', method: 'POST' },
  '2': { action: 'V2Metadata', method: 'GET' },
  '2/ready': { action: 'V2Ready', method: 'GET' },
  '2/infer': { action: 'V2Infer', method: 'POST' },
};

/** @param target the request target as it stands in the request line; a query is ignored. */
export function routeOf(method: string, target: string): Route {
  const query = target.indexOf('?');
  const path = stripSlash(query < 0 ? target : target.slice(0, query));
  const found = MODEL.exec(path);
  if (found) {
    const [, api, model, version, separator = '', verb = ''] = found;
    const known = ACTIONS[`${api}${separator}${verb}`];
    const name = decoded(model ?? '');
    if (known && name !== undefined) {
      if (!allows(known.method, method)) return { kind: 'MethodNotAllowed', allow: known.method, path };
      return {
        kind: 'Model',
        action: known.action,
        model: name,
        ...(version === undefined ? {} : { version }),
      };
    }
  }
  const fixed = Object.hasOwn(FIXED, path) ? FIXED[path] : undefined;
  if (!fixed) return { kind: 'Unknown', path };
  return allows('GET', method) ? fixed : { kind: 'MethodNotAllowed', allow: 'GET', path };
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
