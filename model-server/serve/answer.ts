/** Writing answers. Errors are `{"error": "<sentence>"}` in both protocols. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { freeMemory } from '../free-memory.ts';
import type { ProtocolError } from '../protocol/errors.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export const JSON_TYPE = 'application/json';

export function jsonAnswer(status: number, value: unknown, headers?: Answer['headers']): Answer {
  return { status, contentType: JSON_TYPE, body: JSON.stringify(value), ...(headers ? { headers } : {}) };
}

export function errorAnswer(error: ProtocolError): Answer {
  const headers =
    error.status === 429 || error.status === 503 ? { 'retry-after': String(retrySeconds(error)) } : undefined;
  return jsonAnswer(error.status, { error: error.message }, headers);
}

/** Whole seconds to stay away, at least one: about how long a full queue takes to move. Clients add their own jitter. */
export function retrySeconds({ retryAfterSeconds = 1 }: ProtocolError): number {
  return Math.max(1, Math.ceil(retryAfterSeconds));
}

/** @param closes whether the connection ends with this answer. */
export function writeAnswer(response: ServerResponse, answer: Answer, closes: boolean): void {
  if (response.destroyed || response.headersSent) return;
  writeHead(response, answer, closes);
  response.end(answer.body);
}

function writeHead(
  response: ServerResponse,
  { status, contentType, body, headers }: Answer,
  closes: boolean,
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  // As a list, which Node writes as it is.
  const lines = ['content-type', contentType, 'content-length', String(length)];
  for (const name in headers) lines.push(name, headers[name] as string);
  if (closes) lines.push('connection', 'close');
  response.writeHead(status, lines);
}

const LINGER_MILLISECONDS = 5000;
const MOST_LINGER_BYTES = 512 * 2 ** 20;

/**
 * Answers before the body has been read, and closes. Closing at once would reset the connection, and a client that
 * is still sending would see the reset instead of the answer; so what it sends is thrown away for a while first.
 */
export function answerUnread(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  closes: boolean,
): void {
  if (request.complete || !hasBody(request)) {
    writeAnswer(response, answer, closes);
    return;
  }
  if (response.destroyed || response.headersSent) return;
  writeHead(response, answer, true);
  response.write(answer.body);
  let left = MOST_LINGER_BYTES;
  const timer = setTimeout(finish, LINGER_MILLISECONDS);
  function finish(): void {
    clearTimeout(timer);
    request.removeAllListeners('data');
    response.end();
  }
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    freeMemory(chunk);
    if (left < 0) finish();
  });
  request.on('end', finish).on('close', finish);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
