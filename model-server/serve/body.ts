/** Reads a request's body into one buffer, within the bounds of `admission.ts`. */
import type { IncomingMessage } from 'node:http';
import { freeMemory } from '../free-memory.ts';
import { invalid, type ProtocolError } from '../protocol/errors.ts';
import type { Admission } from './admission.ts';

export interface Body {
  readonly bytes: Buffer;
  /** Gives the memory back to the admission's account; call it once the request is answered. */
  release(): void;
}

/** Bytes that the client announced; 0 when it announced none. */
export function declaredBytes(request: IncomingMessage): number {
  return Number(request.headers['content-length'] ?? 0);
}

/**
 * Calls back once, with the body, or with why there is none. Reading stops there: what follows is not kept.
 */
export function readBody(
  request: IncomingMessage,
  admission: Admission,
  done: (result: Body | ProtocolError) => void,
): void {
  const chunks: Buffer[] = [];
  let received = 0;
  const finish = (result: Body | ProtocolError) => {
    request.removeListener('data', onData).removeListener('end', onEnd).removeListener('close', onClose);
    if (result instanceof Error) admission.release(received);
    done(result);
  };
  const onData = (chunk: Buffer) => {
    const refusal = admission.take(chunk.length, received);
    if (refusal) return finish(refusal);
    received += chunk.length;
    chunks.push(chunk);
  };
  const onEnd = () => {
    const [only] = chunks;
    const isWhole = chunks.length === 1 && only;
    const bytes = isWhole ? only : Buffer.concat(chunks, received);
    if (!isWhole) for (const chunk of chunks) freeMemory(chunk);
    finish({ bytes, release: () => admission.release(received) });
  };
  // Ended before its Content-Length: the client is gone, or `malformed.ts` answers it.
  const onClose = () =>
    finish(invalid('', `the body ended after ${received} bytes, before its announced end`));
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', ignore);
}

/** An aborted request is reported by 'close' too, which is where it is handled. */
function ignore(): void {}
