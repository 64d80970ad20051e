/** What the server is told: by the operator in a pod, by flags and a file when it runs alone. */
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Level } from 'pino';
import { GRPC_PORT, HTTP_PORT, POD_ENV, POD_PATHS } from '../crds/pod-contract.ts';
import { ConfigError, integer } from './config-error.ts';
import { type ConfigFile, LOG_LEVELS, parseConfigFile } from './config-file.ts';
import { type Flags, parseFlags, whole } from './config-flags.ts';
import { modelsOf, uriOf } from './config-models.ts';
import type { OperatorAddress } from './reports/operator-client.ts';
import type { ServedName } from './serve/model-server.ts';

export interface Config {
  /** At least one; in a pod exactly one, of which `assignmentFile` and the operator say the rest. */
  readonly models: readonly ServedName[];
  /** Address to listen on; absent: all of them, with IPv6 where there is any. */
  readonly host?: string;
  readonly port: number;
  readonly grpcPort: number;
  readonly cacheDirectory: string;
  readonly volumesDirectory: string;
  /** What the sources of models may know: the mounted Secret, and the variables that stores' own tools read. */
  readonly credentials: { readonly directory?: string; readonly variables: Environment };
  readonly assignmentFile?: string;
  /** Where to report; absent when the server runs alone. */
  readonly operator?: OperatorAddress & { readonly pod: { namespace: string; name: string; uid: string } };
  /** Registries (`HOST:PORT`) that speak HTTP without TLS. */
  readonly plainHttpRegistries: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxHeldBytes: number;
  readonly maxModelBytes: number;
  /** Memory that the container may use; 0 when there is no limit. */
  readonly memoryBytes: number;
  /** Resident bytes above which models are loaded afresh when memory has grown; 0: never. */
  readonly recycleBytes: number;
  /** After SIGTERM: how long requests are still let in, for proxies that have not heard of it. */
  readonly drainLagSeconds: number;
  /** And how long what is in flight then may take. */
  readonly drainLimitSeconds: number;
  readonly logLevel: Level | 'silent';
  /** Of the requests that are logged, 0 to 1. */
  readonly accessLogShare: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly variables: Environment;
  /** Memory that the container may use; 0 when there is no limit. */
  readonly memoryBytes: number;
  /** Text of a file. */
  readFile(path: string): string;
}

const GRPC_PORT_VARIABLE = 'MODEL_SERVER_GRPC_PORT';

export const HELP = `Serves TensorFlow and TensorFlow.js models over the TensorFlow Serving REST API and the Open Inference Protocol.

  model-server --model NAME=PATH_OR_ADDRESS [--model …] [flags]
  model-server --config FILE [flags]

  model-server --model traffic=./traffic
  model-server --model traffic=s3://models/traffic --versions latest:2 --label stable=3 --port 8501

  --model NAME=PATH_OR_ADDRESS        a directory, or https://, http://, s3://, gs://, oci://, pvc:// or file://;
                                      several models with several --model
  --config FILE                       YAML or JSON with the same and more; flags outrank it, and add models
  --versions POLICY                   version directories to serve side by side: latest:NUMBER, all, or numbers
                                      separated by commas; by default the highest, which follows new ones
  --label NAME=NUMBER                 a name for a version, as in /v1/models/traffic/labels/stable; several times
  --model-version NUMBER              the one version directory to serve
  --format FORMAT                     SavedModel, TFJSGraph or TFJSLayers; by default detected
  --digest sha256:HEX                 refuse the model when its files have another digest
  --public-key FILE                   refuse models that are not signed with this key (PEM)
  --port NUMBER                       default ${HTTP_PORT}; 0 takes a free one, which the log names
  --grpc-port NUMBER                  default ${GRPC_PORT}, with --port 0 a free one
  --host ADDRESS                      default: all addresses
  --max-batch-size NUMBER             default 32; 1 turns batching off
  --max-delay-milliseconds NUMBER     default 0: an idle engine never waits for a batch to fill
  --queue-capacity NUMBER             default 256 waiting requests per model, then 429
  --max-backlog-milliseconds NUMBER   default 2000: work that may wait, by what runs took so far, then 429
  --request-timeout-seconds NUMBER    default 30 s of waiting, then 504
  --warm-up-requests NUMBER           default 1 for each signature
  --cache-directory PATH              default: aicity-model-cache in the directory for temporary files
  --help, -h

In a pod the operator sets AICITY_* variables instead. Anywhere these may be set:
  MODEL_SERVER_GRPC_PORT              what --grpc-port says
  MODEL_SERVER_MAX_BODY_BYTES         default 67108864: the largest body or gRPC message of one request
  MODEL_SERVER_MAX_HELD_BYTES         all requests that are not answered yet, and answers that clients have not
                                      taken; default 268435456, in a container an eighth of its memory if that
                                      is less
  MODEL_SERVER_MAX_MODEL_BYTES        default 68719476736: the largest model that is fetched
  MODEL_SERVER_RECYCLE_BYTES          resident memory above which models are loaded afresh, without a lost request, when
                                      it has grown by a tenth since they were loaded; default three quarters of the
                                      container's memory, without a limit 0: never
  MODEL_SERVER_PLAIN_HTTP_REGISTRIES  default none: HOST:PORT of registries without TLS, separated by commas
  MODEL_SERVER_DRAIN_LAG_SECONDS      default 5, alone 0: requests are still let in so long after SIGTERM
  MODEL_SERVER_DRAIN_LIMIT_SECONDS    default 60: what is in flight then may take so long
  MODEL_SERVER_LOG_LEVEL              default info: ${LOG_LEVELS.join(', ')}
  MODEL_SERVER_ACCESS_LOG_SHARE       default 0: the share of requests that are logged, up to 1; above 0 those answered
                                      500 and more are all logged
  OTEL_EXPORTER_OTLP_ENDPOINT         default none: where spans are sent over OTLP/HTTP; OTEL_SERVICE_NAME,
                                      OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and the other variables of
                                      OpenTelemetry's exporter and batch processor are heeded, too
`;

/** @returns the configuration, or `help` when that was asked for. @throws ConfigError */
export function readConfig(args: readonly string[], surroundings: Surroundings): Config | 'help' {
  const flags = parseFlags(args);
  if (flags.help) return 'help';
  const service = surroundings.variables[POD_ENV.service];
  const isAlone = flags.model !== undefined || flags.config !== undefined;
  if (service && !isAlone) return podConfig(service, flags, surroundings);
  if (isAlone) return aloneConfig(flags, surroundings);
  throw new ConfigError('--model NAME=PATH_OR_ADDRESS is missing; --help shows all flags');
}

function podConfig(name: string, flags: Flags, surroundings: Surroundings): Config {
  const environment = surroundings.variables;
  const required = (variable: string) => {
    const value = environment[variable];
    if (!value) throw new ConfigError(`${variable} is not set; the operator sets it on every pod`);
    return value;
  };
  return {
    models: [{ name }],
    ...address(flags, undefined, environment),
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
    ...limits(surroundings, undefined, 5),
  };
}

function aloneConfig(flags: Flags, surroundings: Surroundings): Config {
  const file = flags.config === undefined ? undefined : readConfigFile(flags.config, surroundings);
  const cacheDirectory =
    flags['cache-directory'] ?? file?.cacheDirectory ?? join(tmpdir(), 'aicity-model-cache');
  return {
    models: modelsOf(flags, file, surroundings.readFile),
    ...address(flags, file, surroundings.variables),
    cacheDirectory: resolve(cacheDirectory),
    volumesDirectory: POD_PATHS.volumesDirectory,
    credentials: { variables: sourceVariables(surroundings.variables) },
    ...limits(surroundings, file, 0),
  };
}

function readConfigFile(path: string, { readFile }: Surroundings): ConfigFile {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new ConfigError(`--config is "${path}", which cannot be read: ${(error as Error).message}`);
  }
  const file = parseConfigFile(text, path);
  const directory = dirname(resolve(path));
  const models = file.models.map(({ publicKeyFile, ...model }) => ({
    ...{ ...model, uri: uriOf(model.uri, directory) },
    ...(publicKeyFile === undefined ? {} : { publicKeyFile: resolve(directory, publicKeyFile) }),
  }));
  return { ...file, models };
}

function sourceVariables(environment: Environment): Environment {
  const known = /^(AWS_[A-Z0-9_]+|GOOGLE_APPLICATION_CREDENTIALS|GCE_METADATA_HOST|STORAGE_EMULATOR_HOST)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => known.test(name)));
}

function address(
  flags: Flags,
  file: ConfigFile | undefined,
  variables: Environment,
): Pick<Config, 'host' | 'port' | 'grpcPort'> {
  const host = flags.host ?? file?.host;
  const port = whole(flags, 'port', 0, 65_535) ?? file?.port ?? HTTP_PORT;
  const variable = integer(GRPC_PORT_VARIABLE, variables[GRPC_PORT_VARIABLE] || undefined, 0, 65_535);
  const grpcPort = whole(flags, 'grpc-port', 0, 65_535) ?? variable ?? file?.grpcPort;
  return {
    ...(host === undefined ? {} : { host }),
    port,
    grpcPort: grpcPort ?? (port === 0 ? 0 : GRPC_PORT),
  };
}

/** What is held is also parsed and joined, beside TensorFlow and the model. */
function heldBytesFor(memoryBytes: number): number {
  return memoryBytes > 0 ? Math.min(256 * 2 ** 20, Math.floor(memoryBytes / 8)) : 256 * 2 ** 20;
}

/** Of the container's memory: beyond it a leak has little way to go. */
const RECYCLE_SHARE = 0.75;

function limits(
  { variables, memoryBytes }: Surroundings,
  file: ConfigFile | undefined,
  drainLagSeconds: number,
) {
  const number = (name: string, least: number, most: number) =>
    integer(name, variables[name] || undefined, least, most);
  const bytes = (name: string) => number(name, 1, 2 ** 50);
  const maxBodyBytes = bytes('MODEL_SERVER_MAX_BODY_BYTES') ?? file?.maxBodyBytes ?? 64 * 2 ** 20;
  const maxHeldBytes =
    bytes('MODEL_SERVER_MAX_HELD_BYTES') ?? file?.maxHeldBytes ?? heldBytesFor(memoryBytes);
  return {
    memoryBytes,
    recycleBytes:
      number('MODEL_SERVER_RECYCLE_BYTES', 0, 2 ** 50) ??
      file?.recycleBytes ??
      Math.floor(RECYCLE_SHARE * memoryBytes),
    maxBodyBytes,
    maxHeldBytes: Math.max(maxHeldBytes, maxBodyBytes),
    maxModelBytes: bytes('MODEL_SERVER_MAX_MODEL_BYTES') ?? file?.maxModelBytes ?? 64 * 2 ** 30,
    plainHttpRegistries: registries(variables['MODEL_SERVER_PLAIN_HTTP_REGISTRIES'] ?? ''),
    drainLagSeconds:
      number('MODEL_SERVER_DRAIN_LAG_SECONDS', 0, 3600) ?? file?.drainLagSeconds ?? drainLagSeconds,
    drainLimitSeconds: number('MODEL_SERVER_DRAIN_LIMIT_SECONDS', 0, 3600) ?? file?.drainLimitSeconds ?? 60,
    logLevel: logLevel(variables['MODEL_SERVER_LOG_LEVEL'] || file?.logLevel || 'info'),
    accessLogShare:
      share(variables['MODEL_SERVER_ACCESS_LOG_SHARE'] || undefined) ?? file?.accessLogShare ?? 0,
  };
}

function share(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[0-9.]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 1) return value;
  throw new ConfigError(`MODEL_SERVER_ACCESS_LOG_SHARE is "${text}"; expected a number from 0 to 1`);
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
