/** A client that wants to know what becomes of each of its requests; `load.ts` only wants to know how many succeed. */
import { Agent, request as httpRequest } from 'node:http';
import type { ClientRequest } from './contender.ts';

export interface Outcome {
  /** Of the answer; undefined when there was none, because the connection broke or nothing came in time. */
  readonly status: number | undefined;
  readonly milliseconds: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Caller {
  /** Never rejects. */
  ask(request: ClientRequest, patienceSeconds: number): Promise<Outcome>;
  close(): void;
}

/** A client with one connection, kept while the server keeps it. */
export function callerTo(url: string): Caller {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: ({ url: to, headers, body }, patienceSeconds) =>
      new Promise((resolve) => {
        const sentAt = performance.now();
        const end = (status?: number, received: Outcome['headers'] = {}, parts: readonly Buffer[] = []) => {
          clearTimeout(patience);
          const milliseconds = performance.now() - sentAt;
          resolve({ status, milliseconds, headers: received, body: Buffer.concat(parts) });
        };
        const sent = httpRequest({
          ...{ agent, hostname, port, method: 'POST', path: new URL(to).pathname },
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            ...headers,
          },
        });
        const patience = setTimeout(() => sent.destroy(), patienceSeconds * 1000);
        sent.on('response', (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => end(answer.statusCode, answer.headers as Outcome['headers'], parts));
          answer.on('error', () => end());
        });
        sent.on('error', () => end());
        // After an answer this changes nothing.
        sent.on('close', () => end());
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
