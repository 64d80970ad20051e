/**
 * Structured logs: one JSON object a line, a constant message, everything else in fields. Secrets are taken out
 * twice: by field name, and by what they look like in the finished line.
 */
import {
  type DestinationStream,
  type Level,
  type Logger,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';

export interface LogOptions {
  /** Default `info`. */
  readonly level?: Level | 'silent';
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

const secretFields = [
  'token',
  'accessToken',
  'password',
  'secret',
  'secretKey',
  'privateKey',
  'authorization',
  'Authorization',
  'credentials',
  'stringData',
];
const censored = '[redacted]';

/** What a secret looks like inside a text, for example in a model's address or an error message of a server. */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic) +[\w+/=.~-]{8,}/gi, `$1 ${censored}`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, censored], // a JSON web token
  [/(\w:\/\/)[^\s/@"'\\]+@/g, `$1${censored}@`], // user and password in a URL
  [
    /([?&](?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|X-Goog-Signature|sig|token|access_token|key)=)[^&\s"'\\]+/gi,
    `$1${censored}`,
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, censored],
];

/** The root logger; parts of the operator use its children. */
export function createLogger({ level = 'info', destination }: LogOptions = {}): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: censored },
      hooks: { streamWrite: redactText },
    },
    destination ?? pino.destination(1),
  );
}

/** Takes everything that looks like a secret out of a text. */
export function redactText(text: string): string {
  return secretTexts.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text);
}
