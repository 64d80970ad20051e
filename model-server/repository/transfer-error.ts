/** What a failed transfer means: which reason it is, and whether the same request may succeed a moment later. */
import { LoadError } from './load-error.ts';

const WITHOUT_CREDENTIALS =
  'it was asked without credentials, so allow reading there, name a Secret in spec.model.credentialsSecretRef, or serve the model from a volume with pvc://';

/** A failed attempt. `transient`: trying again within seconds may help. */
export interface Failure {
  error: LoadError;
  transient: boolean;
}

/**
 * @param place the address without anything that could be a credential.
 * @param access what was tried to get access and what would help, for a refusal.
 */
export function statusFailure(status: number, place: string, access = WITHOUT_CREDENTIALS): Failure {
  if (status === 401 || status === 403 || status === 407) {
    return {
      transient: false,
      error: new LoadError('AccessDenied', `${place} answers ${status}: ${access}`),
    };
  }
  if (status === 404 || status === 410) {
    return { transient: false, error: new LoadError('SourceNotFound', `${place} answers ${status}`) };
  }
  const transient = status === 408 || status === 425 || status === 429 || status >= 500;
  return {
    transient,
    error: new LoadError('SourceUnreachable', `${place} answers ${status} instead of the file`),
  };
}

/** A file was replaced between its listing and its last byte; a fetch that begins anew finds the new one. */
export function changedMeanwhile(place: string): LoadError {
  const sentence = `${place} changed while the model was fetched: write a new version beside the old one instead of over it`;
  return new LoadError('ModelInvalid', sentence, 'soon');
}

const TLS_CODES = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL/;

/** @param cause what `fetch` or reading its body threw. */
export function networkFailure(cause: unknown, place: string): Failure {
  const code = codeOf(cause);
  if (TLS_CODES.test(code)) {
    return {
      transient: false,
      error: new LoadError(
        'SourceUnreachable',
        `the certificate of ${place} is not trusted (${code}): put its authority into a file named by NODE_EXTRA_CA_CERTS in spec.podTemplate.env`,
      ),
    };
  }
  const what: Record<string, string> = {
    ENOTFOUND: 'its host name is not known to DNS',
    EAI_AGAIN: 'DNS does not answer',
    ECONNREFUSED: 'nothing listens there',
    ECONNRESET: 'the connection was cut',
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    UND_ERR_CONNECT_TIMEOUT: 'connecting takes too long',
    ETIMEDOUT: 'connecting takes too long',
    UND_ERR_SOCKET: 'the connection was cut',
  };
  return {
    transient: true,
    error: new LoadError(
      'SourceUnreachable',
      `${place} cannot be reached: ${what[code] ?? `the transfer failed (${code})`}`,
    ),
  };
}

/** Node puts the useful code on the innermost cause, or on one of several tries. */
function codeOf(error: unknown): string {
  const seen = error as { code?: unknown; cause?: unknown; errors?: unknown[]; name?: string } | undefined;
  if (seen?.cause) return codeOf(seen.cause);
  if (typeof seen?.code === 'string') return seen.code;
  if (seen?.errors?.[0]) return codeOf(seen.errors[0]);
  return seen?.name ?? 'unknown error';
}
