/**
 * The HTTPS server of the operator: serves whatever certificate it was last given, and asks clients for theirs
 * without requiring one (pods have tokens; the API server, passing requests on, has a certificate).
 */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { ServingIdentity } from '../certificates/keeper.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The certificate that a client has proven to own, when an authority that we trust for clients signed it. */
export interface ClientCertificate {
  readonly commonName: string;
}

const TLS = {
  minVersion: 'TLSv1.2',
  // No resumption: in a resumed session Node reports a client without a certificate as authorized
  // (https://github.com/nodejs/node/issues/35317), and one of an authority that we trust no more.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

const MAX_HEADER_BYTES = 32_768; // a token, or a user with many groups
const REQUEST_TIMEOUT_MILLISECONDS = 15_000;
const KEEP_ALIVE_MILLISECONDS = 65_000; // longer than between two reports or two looks of the autoscaler

export class TlsServer {
  readonly #server: Server;
  readonly #log: Logger;
  #identity: ServingIdentity | undefined;
  #clientAuthorityPem = '';

  constructor({ handler, log }: { handler: Handler; log: Logger }) {
    this.#log = log;
    this.#server = createServer({
      ...TLS,
      requestCert: true,
      rejectUnauthorized: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MILLISECONDS,
      headersTimeout: REQUEST_TIMEOUT_MILLISECONDS,
      keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    });
    this.#server.on('request', (request, response) => void this.#answer(handler, request, response));
    this.#server.on('tlsClientError', (err: NodeJS.ErrnoException) =>
      this.#log.debug({ code: err.code }, 'TLS handshake failed'),
    );
  }

  /** Serves new connections with this certificate; open ones go on. */
  useIdentity(identity: ServingIdentity): void {
    this.#identity = identity;
    this.#reload();
  }

  /** PEM of the authorities whose client certificates count. Open connections were judged by others and are cut. */
  useClientAuthority(pem: string): void {
    if (pem === this.#clientAuthorityPem) return;
    this.#clientAuthorityPem = pem;
    this.#reload();
    this.#server.closeAllConnections();
  }

  /** @returns the port, which differs from the wanted one when that is 0 */
  async listen(port: number, host?: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets requests in flight finish for a moment, then cuts what is left. */
  async close(graceMilliseconds = 2_000): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMilliseconds);
    await closed;
    clearTimeout(timer);
  }

  #reload(): void {
    if (!this.#identity) return;
    this.#server.setSecureContext({
      ...TLS,
      cert: this.#identity.certificatePem,
      key: this.#identity.privateKeyPem,
      // An empty list, not an absent one: that would mean all public authorities.
      ca: this.#clientAuthorityPem === '' ? [] : [this.#clientAuthorityPem],
    });
  }

  async #answer(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await handler(request, response);
    } catch (err) {
      this.#log.error({ err, method: request.method }, 'a request failed unexpectedly');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }
}

/** The client certificate behind a request, if it has a trusted one. */
export function clientCertificateOf({ socket }: IncomingMessage): ClientCertificate | undefined {
  const tls = socket as TLSSocket;
  if (!tls.authorized || tls.isSessionReused()) return undefined;
  const commonName = tls.getPeerX509Certificate()?.toLegacyObject().subject.CN;
  return typeof commonName === 'string' ? { commonName } : undefined;
}
