/**
 * Every way in which a report is not taken, with its HTTP status and a sentence for the log of the pod.
 * The list is closed: its names are values of a metric's label.
 */

export const REFUSALS = {
  NoToken: [
    401,
    'expected "Authorization: Bearer" with the service-account token that the pod was given for reports',
  ],
  TokenMalformed: [401, 'the bearer token is no service-account token'],
  TokenExpired: [401, 'the bearer token has expired; read the token file again'],
  TokenAudience: [
    401,
    'the bearer token is for another audience; use the one that the pod was given for reports',
  ],
  TokenRejected: [401, 'the API server does not accept the bearer token'],
  TokenNotPodBound: [
    403,
    'the bearer token is not bound to a pod; use the one that the pod was given for reports',
  ],
  OtherPod: [
    403,
    'a pod can report for itself only: the report names another pod than the token is bound to',
  ],
  PodUnknown: [403, 'the API server knows no such pod'],
  PodNotOurs: [403, 'the pod carries no labels of a ModelService of this operator'],
  OtherService: [403, 'the report names another ModelService than the label of the pod'],
  TooLarge: [413, 'the report is larger than 16384 bytes'],
  NotJson: [415, 'expected Content-Type: application/json without Content-Encoding'],
  BadContent: [400, 'the report does not follow its schema'],
  TooFast: [429, 'this pod reports faster than every half second'],
  NotLeading: [503, 'this replica of the operator does not lead; connect again'],
  Unavailable: [503, 'the API server cannot be asked whose token this is; report again soon'],
} as const satisfies Record<string, readonly [status: number, sentence: string]>;

export type Refusal = keyof typeof REFUSALS;

/** A reason, and where there is more to say than the table does, the sentence. */
export interface Refused {
  readonly refusal: Refusal;
  readonly detail?: string;
  readonly retryAfterSeconds?: number;
}

export const refused = (refusal: Refusal, detail?: string): Refused =>
  detail === undefined ? { refusal } : { refusal, detail };
