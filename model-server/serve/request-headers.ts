/** What a request's headers say about how it wants to be served, for protocols that have no parameters for it. */
import type { IncomingHttpHeaders } from 'node:http';
import { invalid, quoted } from '../protocol/errors.ts';
import { type Priority, priorityOfHeader } from '../protocol/priority.ts';

export interface Wishes {
  /** How long the request may wait. */
  readonly timeoutSeconds?: number | undefined;
  readonly priority?: Priority | undefined;
}

/**
 * `Request-Timeout` in seconds, such as `0.25`, and `Priority` as in RFC 9218. What the body says outranks the priority,
 * and of two timeouts the shorter counts.
 * @throws ProtocolError InvalidArgument
 */
export function wishesOf(headers: IncomingHttpHeaders, body: Wishes = {}): Wishes {
  const timeout = headers['request-timeout'] as string | undefined;
  const seconds = Math.min(
    timeout === undefined ? Number.POSITIVE_INFINITY : secondsOf(timeout),
    body.timeoutSeconds ?? Number.POSITIVE_INFINITY,
  );
  return {
    timeoutSeconds: Number.isFinite(seconds) ? seconds : undefined,
    priority: body.priority ?? priorityOfHeader(headers['priority'] as string | undefined),
  };
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0) return seconds;
  throw invalid('Request-Timeout', `${quoted(text)} found, a positive number of seconds expected`);
}
