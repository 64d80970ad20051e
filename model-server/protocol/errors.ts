/**
 * Failures a client may see. The kinds are gRPC's canonical codes, so that one table serves HTTP now and gRPC
 * later; everything that the model server refuses or fails at is one of them.
 */
export type FailureKind =
  | 'InvalidArgument'
  | 'NotFound'
  | 'PayloadTooLarge'
  | 'ResourceExhausted'
  | 'Unimplemented'
  | 'Unavailable'
  | 'DeadlineExceeded'
  | 'Internal';

/** HTTP status of each kind; the same as KServe's and Triton's where they agree. */
export const httpStatus: Readonly<Record<FailureKind, number>> = {
  InvalidArgument: 400,
  NotFound: 404,
  PayloadTooLarge: 413,
  ResourceExhausted: 429,
  Unimplemented: 501,
  Unavailable: 503,
  DeadlineExceeded: 504,
  Internal: 500,
};

/** A request that cannot be served. `message` is a sentence for the client, beginning with the field's path. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly kind: FailureKind;
  /** Path of the offending field, such as `inputs[0].shape`; empty when the request as a whole is at fault. */
  readonly field: string;
  /** For how long to stay away, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FailureKind, field: string, sentence: string, retryAfterSeconds?: number) {
    super(field === '' ? sentence : `${field}: ${sentence}`);
    this.kind = kind;
    this.field = field;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get status(): number {
    return httpStatus[this.kind];
  }
}

/** Shorthand for the common case: the request itself is wrong (HTTP 400). */
export function invalid(field: string, sentence: string): ProtocolError {
  return new ProtocolError('InvalidArgument', field, sentence);
}

/** A client's own text in quotes for a message, cut so that no message grows with what was sent. */
export function quoted(text: string, mostCharacters = 60): string {
  return JSON.stringify(text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text);
}
