/**
 * Pooled connections to one API server, and fresh credentials for every request over them.
 *
 * client-node knows the many ways to authenticate, but opens a new TLS connection for every request. We take the
 * credentials from it and keep the connections ourselves, for as long as certificates and address stay the same.
 */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { KubeError } from './errors.ts';
import type { LoadKubeConfig } from './kubeconfig.ts';

/** All that a request needs. */
export interface Route {
  readonly origin: string;
  /** The path of the server's address, without a slash at its end; empty for most clusters. */
  readonly basePath: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For calls that end soon; bounded, so that a burst waits here instead of at the server. */
  readonly calls: Dispatcher;
  /** For watches, which each hold a connection for minutes. */
  readonly streams: Dispatcher;
}

type TlsOptions = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;

/** Tokens are read again this often; the files behind them are small, but not free. */
const credentialsLiveMilliseconds = 10_000;
/** kube-apiserver closes an idle connection after 90 s; we must be the first, or a request meets a closed one. */
const idleMilliseconds = 60_000;

export class Connection {
  readonly #load: LoadKubeConfig;
  readonly #maxCalls: number;
  #config: KubeConfig | undefined;
  #route: Promise<Route> | undefined;
  #routeIsOldAt = 0;
  #pools:
    | { readonly fingerprint: string; readonly calls: Dispatcher; readonly streams: Dispatcher }
    | undefined;

  constructor(load: LoadKubeConfig, { maxCalls = 32 }: { maxCalls?: number } = {}) {
    this.#load = load;
    this.#maxCalls = maxCalls;
  }

  /**
   * Where and how to send the next request. Many callers at once share one look at the credentials.
   *
   * @throws KubeError `retry` with reason `Credentials`
   */
  route(): Promise<Route> {
    const now = performance.now();
    if (!this.#route || now >= this.#routeIsOldAt) {
      this.#routeIsOldAt = now + credentialsLiveMilliseconds;
      const route = this.#resolve().catch((cause: unknown) => {
        this.renew();
        throw credentialsError(cause);
      });
      this.#route = route;
    }
    return this.#route;
  }

  /** Forgets the credentials, because the server refused them; the next request loads them anew. */
  renew(): void {
    this.#config = undefined;
    this.#route = undefined;
  }

  async close(): Promise<void> {
    const pools = this.#pools;
    this.#pools = undefined;
    this.renew();
    await Promise.all([pools?.calls.destroy(), pools?.streams.destroy()]);
  }

  async #resolve(): Promise<Route> {
    this.#config = this.#load.mayChange ? this.#load() : (this.#config ?? this.#load());
    const config = this.#config;
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no current cluster');
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);

    const { origin, pathname } = new URL(cluster.server);
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    const tls = withoutUndefined({ ca, cert, key, rejectUnauthorized, servername });
    const { calls, streams } = this.#poolsFor(origin, cluster.proxyUrl, tls);
    return { origin, basePath: pathname.replace(/\/+$/, ''), headers: headersOf(options), calls, streams };
  }

  /** A rotated certificate needs new connections; requests on the old ones finish there. */
  #poolsFor(origin: string, proxyUrl: string | undefined, tls: TlsOptions) {
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([origin, proxyUrl, tls]))
      .digest('hex');
    if (this.#pools?.fingerprint !== fingerprint) {
      void this.#pools?.calls.close();
      void this.#pools?.streams.close();
      this.#pools = {
        fingerprint,
        calls: pool(proxyUrl, tls, this.#maxCalls),
        streams: pool(proxyUrl, tls, null),
      };
    }
    return this.#pools;
  }
}

/** HTTP/1.1 on purpose: over HTTP/2 all watches and calls would share, and lose, a single connection. */
function pool(proxyUrl: string | undefined, tls: TlsOptions, connections: number | null): Dispatcher {
  const common = {
    connections,
    allowH2: false,
    keepAliveTimeout: idleMilliseconds,
    keepAliveMaxTimeout: idleMilliseconds,
    connectTimeout: 10_000,
    bodyTimeout: 0, // the whole call has a limit of its own, and a watch may be silent
  };
  if (proxyUrl) return new ProxyAgent({ ...common, uri: proxyUrl, requestTls: { ...tls, allowH2: false } });
  return new Agent({ ...common, connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 } });
}

/** A token file often ends with a line feed, which no header may carry. */
function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = `${value}`.trim();
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function credentialsError(cause: unknown): KubeError {
  const [firstLine = ''] = String(cause instanceof Error ? cause.message : cause)
    .trim()
    .split('\n');
  return new KubeError({
    kind: 'retry',
    status: 0,
    reason: 'Credentials',
    message: `the credentials for the API server cannot be read: ${firstLine.slice(0, 300) || 'no reason given'}`,
    cause,
  });
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}
