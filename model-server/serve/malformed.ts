/** Answers for what is no HTTP request, or stops being one: garbage, endless headers, a body that breaks off. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface ParserError extends Error {
  code?: string;
}

const SENTENCES: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [
    431,
    'Request Header Fields Too Large',
    'the headers are too long: send fewer or shorter ones',
  ],
  HPE_INVALID_EOF_STATE: [400, 'Bad Request', 'the request broke off before its announced end'],
  ERR_HTTP_REQUEST_TIMEOUT: [
    408,
    'Request Timeout',
    'the request did not arrive in time: send it faster or in parts',
  ],
};

/**
 * For the server's `clientError` event.
 * @param pending the answer that is under way on this connection, if any: nothing may be written into it.
 */
export function answerMalformed(
  error: ParserError,
  socket: Socket,
  pending: ServerResponse | undefined,
): void {
  if (!socket.writable || error.code === 'ECONNRESET' || pending?.headersSent) return void socket.destroy();
  const [status, phrase, sentence] = SENTENCES[error.code ?? ''] ?? [
    400,
    'Bad Request',
    'this is no HTTP/1.1 request: send one of those that GET / shows',
  ];
  const body = JSON.stringify({ error: sentence });
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
