/** What the server is told: by the operator in a pod, by flags when it runs alone. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Level } from 'pino';
import { ModelSource, Serving } from '../crds/model-service.ts';
import { parseModelUri } from '../crds/model-uri.ts';
import { HTTP_PORT, type ModelAssignment, POD_ENV, POD_PATHS } from '../crds/pod-contract.ts';
import type { OperatorAddress } from './reports/operator-client.ts';

export interface Config {
  /** Name of the model in requests. */
  readonly name: string;
  /** Address to listen on; absent: all of them, with IPv6 where there is any. */
  readonly host?: string;
  readonly port: number;
  readonly cacheDirectory: string;
  readonly volumesDirectory: string;
  /** What the sources of models may know: the mounted Secret, and the variables that stores' own tools read. */
  readonly credentials: { readonly directory?: string; readonly variables: Environment };
  /** What to serve, when it is known from the start. In a pod `assignmentFile` says it. */
  readonly assignment?: ModelAssignment;
  readonly assignmentFile?: string;
  /** Where to report; absent when the server runs alone. */
  readonly operator?: OperatorAddress & { readonly pod: { namespace: string; name: string; uid: string } };
  /** Registries (`HOST:PORT`) that speak HTTP without TLS. */
  readonly plainHttpRegistries: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxHeldBytes: number;
  readonly maxModelBytes: number;
  /** After SIGTERM: how long requests are still let in, for proxies that have not heard of it. */
  readonly drainLagSeconds: number;
  /** And how long what is in flight then may take. */
  readonly drainLimitSeconds: number;
  readonly logLevel: Level | 'silent';
}

/** Names the flag or variable, what was found and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly variables: Environment;
  /** Memory that the container may use; 0 when there is no limit. */
  readonly memoryBytes: number;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const HELP = `Serves one TensorFlow or TensorFlow.js model over the TensorFlow Serving REST API and the Open Inference Protocol.

  model-server --model NAME=PATH_OR_ADDRESS [flags]

  --model NAME=PATH_OR_ADDRESS        a directory, or https://, http://, s3://, gs://, oci://, pvc:// or file://
  --model-version NUMBER              version directory to serve; by default the highest
  --format FORMAT                     SavedModel, TFJSGraph or TFJSLayers; by default detected
  --digest sha256:HEX                 refuse the model when its files have another digest
  --port NUMBER                       default ${HTTP_PORT}; 0 takes a free one, which the log names
  --host ADDRESS                      default: all addresses
  --max-batch-size NUMBER             default 32; 1 turns batching off
  --max-delay-milliseconds NUMBER     default 0: an idle engine never waits for a batch to fill
  --queue-capacity NUMBER             default 256 waiting requests, then 429
  --request-timeout-seconds NUMBER    default 30 s of waiting, then 504
  --warm-up-requests NUMBER           default 1 for each signature
  --cache-directory PATH              default: aicity-model-cache in the directory for temporary files
  --help, -h

In a pod the operator sets AICITY_* variables instead. Anywhere these may be set:
  MODEL_SERVER_MAX_BODY_BYTES         default 67108864: the largest body of one request
  MODEL_SERVER_MAX_HELD_BYTES         bodies of all requests that are not answered yet; default 268435456, in a
                                      container an eighth of its memory if that is less
  MODEL_SERVER_MAX_MODEL_BYTES        default 68719476736: the largest model that is fetched
  MODEL_SERVER_PLAIN_HTTP_REGISTRIES  default none: HOST:PORT of registries without TLS, separated by commas
  MODEL_SERVER_DRAIN_LAG_SECONDS      default 5, alone 0: requests are still let in so long after SIGTERM
  MODEL_SERVER_DRAIN_LIMIT_SECONDS    default 60: what is in flight then may take so long
  MODEL_SERVER_LOG_LEVEL              default info: ${LOG_LEVELS.join(', ')}
`;

/** @returns the configuration, or `help` when that was asked for. @throws ConfigError */
export function readConfig(args: readonly string[], surroundings: Surroundings): Config | 'help' {
  const flags = parseFlags(args);
  if (flags['help']) return 'help';
  const service = surroundings.variables[POD_ENV.service];
  if (service && flags['model'] === undefined) return podConfig(service, flags, surroundings);
  if (flags['model'] === undefined) {
    throw new ConfigError('--model NAME=PATH_OR_ADDRESS is missing; --help shows all flags');
  }
  return aloneConfig(flags, surroundings);
}

function podConfig(name: string, flags: Flags, surroundings: Surroundings): Config {
  const environment = surroundings.variables;
  const required = (variable: string) => {
    const value = environment[variable];
    if (!value) throw new ConfigError(`${variable} is not set; the operator sets it on every pod`);
    return value;
  };
  return {
    name,
    ...address(flags),
    cacheDirectory: environment[POD_ENV.cacheDirectory] ?? POD_PATHS.cacheDirectory,
    volumesDirectory: POD_PATHS.volumesDirectory,
    credentials: { directory: POD_PATHS.credentialsDirectory, variables: sourceVariables(environment) },
    assignmentFile: environment[POD_ENV.assignmentFile] ?? POD_PATHS.assignmentFile,
    operator: {
      url: required(POD_ENV.reportUrl),
      caFile: environment[POD_ENV.reportCaFile] ?? POD_PATHS.caFile,
      tokenFile: environment[POD_ENV.reportTokenFile] ?? POD_PATHS.tokenFile,
      pod: {
        namespace: required(POD_ENV.podNamespace),
        name: required(POD_ENV.podName),
        uid: required(POD_ENV.podUid),
      },
    },
    ...limits(surroundings, 5),
  };
}

function aloneConfig(flags: Flags, surroundings: Surroundings): Config {
  const { name, source } = modelFlags(flags);
  const serving = Serving.parse({
    maxBatchSize: whole(flags, 'max-batch-size', 1, 4096),
    maxDelayMilliseconds: whole(flags, 'max-delay-milliseconds', 0, 1000),
    queueCapacity: whole(flags, 'queue-capacity', 1, 100_000),
    requestTimeoutSeconds: whole(flags, 'request-timeout-seconds', 1, 3600),
    warmUpRequests: whole(flags, 'warm-up-requests', 1, 100),
  });
  const revision = createHash('sha256').update(JSON.stringify(source)).digest('hex').slice(0, 10);
  return {
    name,
    ...address(flags),
    cacheDirectory: resolve(flags['cache-directory'] ?? join(tmpdir(), 'aicity-model-cache')),
    volumesDirectory: POD_PATHS.volumesDirectory,
    credentials: { variables: sourceVariables(surroundings.variables) },
    assignment: { revision, model: source, serving },
    ...limits(surroundings, 0),
  };
}

function sourceVariables(environment: Environment): Environment {
  const known = /^(AWS_[A-Z0-9_]+|GOOGLE_APPLICATION_CREDENTIALS|GCE_METADATA_HOST|STORAGE_EMULATOR_HOST)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => known.test(name)));
}

const FLAGS = {
  model: { type: 'string' },
  'model-version': { type: 'string' },
  format: { type: 'string' },
  digest: { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  'max-batch-size': { type: 'string' },
  'max-delay-milliseconds': { type: 'string' },
  'queue-capacity': { type: 'string' },
  'request-timeout-seconds': { type: 'string' },
  'warm-up-requests': { type: 'string' },
  'cache-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

type Flags = { [F in Exclude<keyof typeof FLAGS, 'help'>]?: string } & { help?: boolean };

function parseFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values as Flags;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}; --help shows all flags`);
  }
}

function modelFlags(flags: Flags): { name: string; source: ModelSource } {
  const found = /^([^=/:\s]+)=(.+)$/.exec(flags.model ?? '');
  if (!found) throw new ConfigError(`--model is "${flags.model}"; expected NAME=PATH_OR_ADDRESS`);
  const [, name = '', place = ''] = found;
  const uri = place.includes('://') ? place : `file://${resolve(place)}`;
  try {
    parseModelUri(uri);
  } catch (error) {
    throw new ConfigError((error as Error).message.replace('spec.model.uri', '--model'));
  }
  const source = ModelSource.safeParse({
    uri,
    format: flags.format,
    version: whole(flags, 'model-version', 0, Number.MAX_SAFE_INTEGER),
    digest: flags.digest,
  });
  if (!source.success) {
    const [issue] = source.error.issues;
    throw new ConfigError(`--${issue?.path.join('.') || 'model'}: ${issue?.message}`);
  }
  if (flags.digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(flags.digest)) {
    throw new ConfigError(
      `--digest is "${flags.digest}"; expected sha256: and 64 lower-case hexadecimal digits`,
    );
  }
  return { name, source: source.data };
}

function address(flags: Flags): Pick<Config, 'host' | 'port'> {
  return {
    ...(flags.host === undefined ? {} : { host: flags.host }),
    port: whole(flags, 'port', 0, 65_535) ?? HTTP_PORT,
  };
}

/** What is held is also parsed and joined, beside TensorFlow and the model. */
function heldBytesFor(memoryBytes: number): number {
  return memoryBytes > 0 ? Math.min(256 * 2 ** 20, Math.floor(memoryBytes / 8)) : 256 * 2 ** 20;
}

function limits({ variables, memoryBytes }: Surroundings, drainLagSeconds: number) {
  const environment = variables;
  const bytes = (name: string, otherwise: number) => variable(environment, name, 1, 2 ** 50) ?? otherwise;
  const maxBodyBytes = bytes('MODEL_SERVER_MAX_BODY_BYTES', 64 * 2 ** 20);
  return {
    maxBodyBytes,
    maxHeldBytes: Math.max(bytes('MODEL_SERVER_MAX_HELD_BYTES', heldBytesFor(memoryBytes)), maxBodyBytes),
    maxModelBytes: bytes('MODEL_SERVER_MAX_MODEL_BYTES', 64 * 2 ** 30),
    plainHttpRegistries: registries(environment['MODEL_SERVER_PLAIN_HTTP_REGISTRIES'] ?? ''),
    drainLagSeconds: variable(environment, 'MODEL_SERVER_DRAIN_LAG_SECONDS', 0, 3600) ?? drainLagSeconds,
    drainLimitSeconds: variable(environment, 'MODEL_SERVER_DRAIN_LIMIT_SECONDS', 0, 3600) ?? 60,
    logLevel: logLevel(environment['MODEL_SERVER_LOG_LEVEL'] || 'info'),
  };
}

function registries(text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !/^[A-Za-z0-9._-]+(:\d{1,5})?$/.test(name));
  if (wrong === undefined) return names;
  throw new ConfigError(
    `MODEL_SERVER_PLAIN_HTTP_REGISTRIES has "${wrong}"; expected HOST:PORT, several separated by commas`,
  );
}

function logLevel(value: string): Config['logLevel'] {
  const found = LOG_LEVELS.find((level) => level === value);
  if (found) return found;
  throw new ConfigError(`MODEL_SERVER_LOG_LEVEL is "${value}"; expected one of ${LOG_LEVELS.join(', ')}`);
}

const whole = (flags: Flags, flag: Exclude<keyof Flags, 'help'>, least: number, most: number) =>
  integer(`--${flag}`, flags[flag], least, most);

const variable = (environment: Environment, name: string, least: number, most: number) =>
  integer(name, environment[name] || undefined, least, most);

function integer(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ConfigError(`${name} is "${text}"; expected a whole number from ${least} to ${most}`);
}
