/**
 * Every failure of a request to the API server, with what the caller can do about it.
 */
import type { Status } from './objects.ts';

/**
 * - `retry`: the same request may succeed later (network, overload, credentials, quota, a server that restarts).
 * - `conflict`: somebody else wrote first, or owns the field, or the object exists already; read again, then retry.
 * - `terminal`: the request itself is wrong; repeating it cannot help until somebody changes something.
 * - `notFound`: the object, or its whole kind, does not exist.
 */
export type KubeErrorKind = 'retry' | 'conflict' | 'terminal' | 'notFound';

export interface KubeErrorFields {
  readonly kind: KubeErrorKind;
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly kind: KubeErrorKind;
  /** The HTTP status, or 0 when there was no answer. */
  readonly status: number;
  /** The API server's reason (`AlreadyExists`), `NamespaceTerminating` where that is the cause, or ours: `Network`, `Timeout`, `Aborted`, `Credentials`, `BadResponse`. */
  readonly reason: string;
  /** How long the server asked us to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ kind, status, reason, message, retryAfterSeconds, cause }: KubeErrorFields) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** True for a `KubeError` of that kind. */
export function isKubeError(error: unknown, kind?: KubeErrorKind): error is KubeError {
  return error instanceof KubeError && (kind === undefined || error.kind === kind);
}

/**
 * The error for an answer of the API server.
 *
 * @param request what was asked, for the message: `PATCH /apis/apps/v1/…`
 * @param retryAfterSeconds the `Retry-After` header, if there was one
 */
export function errorFromStatus(
  code: number,
  status: Status,
  request: string,
  retryAfterSeconds = status.details?.retryAfterSeconds,
): KubeError {
  const said = status.message ?? 'the API server gave no reason';
  return new KubeError({
    kind: kindOf(code, said),
    status: code,
    reason: isEnding(status) ? NAMESPACE_TERMINATING : (status.reason ?? `HTTP${code}`),
    message: `${request}: ${said} (HTTP ${code})`,
    retryAfterSeconds,
  });
}

/** Nothing can be created in a namespace that is being deleted. */
export const NAMESPACE_TERMINATING = 'NamespaceTerminating';

function isEnding({ details }: Status): boolean {
  return details?.causes?.some(({ reason }) => reason === NAMESPACE_TERMINATING) ?? false;
}

/**
 * 403 is worth a retry: quota frees up, and RBAC rules of an installation may arrive after us.
 * A server-side apply with an unknown field or a wrong type is answered 500 although only the sender can mend it.
 */
function kindOf(code: number, message: string): KubeErrorKind {
  if (code === 404) return 'notFound';
  if (code === 409) return 'conflict';
  if (code === 500 && message.includes('failed to create typed patch object')) return 'terminal';
  const worthRepeating = code >= 500 || [401, 403, 408, 410, 429].includes(code);
  return worthRepeating ? 'retry' : 'terminal';
}
