/**
 * One HTTP exchange with the API server: credentials, time limit, errors. What is asked is not known here.
 */
import type { Dispatcher } from 'undici';
import type { RawRequest } from './client.ts';
import { Connection, type Route } from './connection.ts';
import { errorFromStatus, KubeError } from './errors.ts';
import type { LoadKubeConfig } from './kubeconfig.ts';
import { LineTooLongError, splitLines } from './lines.ts';
import type { Status } from './objects.ts';

export interface TransportOptions {
  readonly loadConfig: LoadKubeConfig;
  /** Names us in the API server's audit log. */
  readonly userAgent?: string;
  /** Bound on one line of a stream; default 16 MiB, ten times what etcd stores in one object by default. */
  readonly maxLineBytes?: number;
  /** Calls in flight at once, streams not counted; default 32. */
  readonly maxCalls?: number;
}

const defaultTimeoutSeconds = 30;

export class Transport {
  readonly #connection: Connection;
  readonly #userAgent: string;
  readonly #maxLineBytes: number;

  constructor(options: TransportOptions) {
    const { loadConfig, userAgent = 'aicity-operator', maxLineBytes = 16 * 2 ** 20, maxCalls = 32 } = options;
    this.#connection = new Connection(loadConfig, { maxCalls });
    this.#userAgent = userAgent;
    this.#maxLineBytes = maxLineBytes;
  }

  /** Sends a request and returns the parsed body. */
  async request<T>(call: RawRequest): Promise<T> {
    const what = `${call.method} ${call.path}`;
    const { timeoutSeconds = defaultTimeoutSeconds } = call;
    const limit = stopper(call.signal, timeoutSeconds);
    try {
      const response = await this.#send(call, 'calls', limit.signal);
      return parse(await response.body.text(), what) as T;
    } catch (error) {
      throw explain(error, what, call.signal, timeoutSeconds);
    } finally {
      limit.release();
    }
  }

  /** Sends a request and yields every line of the answer, parsed, for as long as the server goes on. */
  async *stream<T>(call: RawRequest, onOpen: () => void = () => {}): AsyncGenerator<T> {
    const what = `watch ${call.path}`;
    const stop = stopper(call.signal);
    try {
      const { body } = await this.#send(call, 'streams', stop.signal);
      onOpen();
      for await (const line of splitLines(body, this.#maxLineBytes)) yield parse(line, what) as T;
    } catch (error) {
      throw explain(error, what, call.signal, defaultTimeoutSeconds);
    } finally {
      stop.release();
      stop.abort(); // closes the connection when the reader has left early
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Refused credentials are loaded anew and tried once more: a token may have been rotated a moment ago. */
  async #send(call: RawRequest, pool: 'calls' | 'streams', signal: AbortSignal) {
    const what = `${call.method} ${call.path}`;
    const response = await this.#dispatch(call, await this.#route(signal), pool, signal);
    if (response.statusCode < 400) return response;
    const error = await errorOf(response, what);
    if (error.status !== 401) throw error;
    this.#connection.renew();
    const again = await this.#dispatch(call, await this.#route(signal), pool, signal);
    if (again.statusCode < 400) return again;
    throw await errorOf(again, what);
  }

  /** A program that fetches credentials may hang; the call does not hang with it. */
  #route(signal: AbortSignal): Promise<Route> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(new DOMException('aborted while waiting for credentials', 'AbortError'));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      this.#connection.route().then(resolve, reject);
    });
  }

  #dispatch(call: RawRequest, route: Route, pool: 'calls' | 'streams', signal: AbortSignal) {
    const { method, path, query, body, contentType = 'application/json' } = call;
    return route[pool].request({
      origin: route.origin,
      path: `${route.basePath}${path}${queryString(query)}`,
      method,
      headers: {
        accept: 'application/json',
        'user-agent': this.#userAgent,
        ...(body === undefined ? {} : { 'content-type': contentType }),
        ...route.headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: (call.timeoutSeconds ?? defaultTimeoutSeconds) * 1000,
      signal,
    });
  }
}

function queryString(query: RawRequest['query'] = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, `${value}`);
  return given.size === 0 ? '' : `?${given}`;
}

/**
 * A signal that aborts with the caller's and after a time, if one is given, until it is released.
 * `AbortSignal.any` would leave a listener on the caller's long-lived signal with every call.
 */
function stopper(signal: AbortSignal | undefined, seconds?: number) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = seconds === undefined ? undefined : setTimeout(abort, seconds * 1000);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    abort,
    release() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

async function errorOf(response: Dispatcher.ResponseData, what: string): Promise<KubeError> {
  const text = await response.body.text();
  const retryAfter = Number(response.headers['retry-after'] ?? Number.NaN);
  return errorFromStatus(
    response.statusCode,
    statusOf(text),
    what,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
  );
}

/** Proxies and load balancers answer with pages of their own; a piece of it says more than nothing. */
function statusOf(text: string): Status {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return parsed as Status;
  } catch {
    // Not JSON: shown as it is.
  }
  const start = text.trim().slice(0, 200);
  return start === '' ? {} : { message: start };
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${what}: the answer is not JSON: ${JSON.stringify(text.slice(0, 80))}`;
    throw new KubeError({ kind: 'retry', status: 0, reason: 'BadResponse', message, cause });
  }
}

/** Every other failure on the way, as a `KubeError`. */
function explain(
  error: unknown,
  what: string,
  signal: AbortSignal | undefined,
  timeoutSeconds: number,
): KubeError {
  if (error instanceof KubeError) return error;
  const failed = (reason: string, message: string) =>
    new KubeError({ kind: 'retry', status: 0, reason, message: `${what}: ${message}`, cause: error });
  const { name = '', code = '', message = '' } = error as Partial<NodeJS.ErrnoException>;
  if (signal?.aborted) return failed('Aborted', 'given up because the caller stopped');
  if (error instanceof LineTooLongError) return failed('BadResponse', message);
  if (name === 'AbortError' || code === 'UND_ERR_HEADERS_TIMEOUT') {
    return failed('Timeout', `no complete answer within ${timeoutSeconds} s`);
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return failed('Timeout', 'no connection within 10 s');
  return failed('Network', message || code || 'the connection failed');
}
