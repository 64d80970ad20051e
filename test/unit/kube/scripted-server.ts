import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { LoadKubeConfig } from '../../../operator/kube/kubeconfig.ts';
import { fromText } from '../../../operator/kube/kubeconfig.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Responder = (response: ServerResponse, request: SeenRequest) => void;

/**
 * A server that answers as the test says, for faults that a real API server cannot be made to show. Answers are
 * used in order, the last one for ever.
 */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  #answers: Responder[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  async start(...answers: Responder[]): Promise<this> {
    this.#answers = answers;
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** From now on. */
  answer(...answers: Responder[]): void {
    this.#answers = answers;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  config({ path = '', user = '{}' }: { path?: string; user?: string } = {}): LoadKubeConfig {
    return fromText(`
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: c, cluster: {server: "${this.address}${path}", insecure-skip-tls-verify: true}}]
users: [{name: u, user: ${user}}]
contexts: [{name: test, context: {cluster: c, user: u}}]
`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? '/', this.address);
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.requests.push(seen);
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    answer?.(response, seen);
  }
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Responder =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

/** A watch: sends these lines and stays open, unless told to end. */
export const lines =
  (texts: readonly (string | object)[], { end = false }: { end?: boolean } = {}): Responder =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const text of texts) response.write(`${typeof text === 'string' ? text : JSON.stringify(text)}\n`);
    if (end) response.end();
  };

export const status = (code: number, reason: string, message: string, headers: Record<string, string> = {}) =>
  json({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }, code, headers);

export const hang: Responder = () => {};
export const hangUp: Responder = (response) => void response.socket?.destroy();
