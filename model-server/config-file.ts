/** `--config FILE`: the configuration of a server that runs alone, as YAML or JSON. */
import { load } from 'js-yaml';
import * as z from 'zod';
import { MODEL_FORMATS, Serving } from '../crds/model-service.ts';
import { ConfigError } from './config-error.ts';
import { parseVersionPolicy, VERSION_POLICY_EXPECTED } from './serve/version-policy.ts';

export const MODEL_NAME = /^[^\s/:=]+$/;
export const LABEL_NAME = /^[a-zA-Z0-9_]+$/;
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** `spec.serving` of a ModelService, where whatever is left out is left to others. */
const { shape } = Serving.unwrap();
const PartialServing = z.strictObject({
  maxBatchSize: shape.maxBatchSize.unwrap().optional(),
  maxDelayMilliseconds: shape.maxDelayMilliseconds.unwrap().optional(),
  queueCapacity: shape.queueCapacity.unwrap().optional(),
  maxBacklogMilliseconds: shape.maxBacklogMilliseconds.unwrap().optional(),
  requestTimeoutSeconds: shape.requestTimeoutSeconds.unwrap().optional(),
  warmUpRequests: shape.warmUpRequests.unwrap().optional(),
});
export type PartialServing = z.infer<typeof PartialServing>;

const Policy = z
  .union([z.string(), z.int().min(0), z.array(z.int().min(0)).min(1)], {
    error: `expected ${VERSION_POLICY_EXPECTED}`,
  })
  .transform((found, { addIssue }) => {
    const policy = parseVersionPolicy(String(found));
    if (policy) return policy;
    addIssue({ code: 'custom', message: `expected ${VERSION_POLICY_EXPECTED}` });
    return z.NEVER;
  });

const Model = z.strictObject({
  name: z.string().regex(MODEL_NAME, 'expected a name without spaces, slashes, colons and equal signs'),
  /** A path, from the file's directory on, or an address. */
  uri: z.string().min(1),
  format: z.enum(MODEL_FORMATS).optional(),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 lower-case hexadecimal digits')
    .optional(),
  /** Of the key that the model must be signed with, from the file's directory on. */
  publicKeyFile: z.string().min(1).optional(),
  versions: Policy.optional(),
  labels: z
    .record(z.string().regex(LABEL_NAME, 'expected letters, digits and underscores'), z.int().min(0))
    .optional(),
  serving: PartialServing.optional(),
});

const bytes = z
  .int()
  .min(1)
  .max(2 ** 50)
  .optional();
const seconds = z.int().min(0).max(3600).optional();

const ConfigFile = z.strictObject({
  models: z.array(Model).min(1),
  /** For all models that do not say otherwise. */
  serving: PartialServing.optional(),
  port: z.int().min(0).max(65_535).optional(),
  grpcPort: z.int().min(0).max(65_535).optional(),
  host: z.string().min(1).optional(),
  cacheDirectory: z.string().min(1).optional(),
  maxBodyBytes: bytes,
  maxHeldBytes: bytes,
  maxModelBytes: bytes,
  recycleBytes: z
    .int()
    .min(0)
    .max(2 ** 50)
    .optional(),
  drainLagSeconds: seconds,
  drainLimitSeconds: seconds,
  logLevel: z.enum(LOG_LEVELS).optional(),
  accessLogShare: z.number().min(0).max(1).optional(),
});
export type ConfigFile = z.infer<typeof ConfigFile>;

/** @param name of the file, for messages. @throws ConfigError */
export function parseConfigFile(text: string, name: string): ConfigFile {
  let document: unknown;
  try {
    document = load(text);
  } catch (error) {
    throw new ConfigError(`${name} is neither YAML nor JSON: ${(error as Error).message.split('\n')[0]}`);
  }
  const parsed = ConfigFile.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new ConfigError(`${name}: ${sentenceOf(parsed.error.issues[0] as z.core.$ZodIssue, document)}`);
}

function sentenceOf(issue: z.core.$ZodIssue, document: unknown): string {
  const field = fieldOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(shapeAt(issue.path)).join(', ');
    return `${fieldOf([...issue.path, issue.keys[0] ?? ''])} is not known; expected one of ${known}`;
  }
  const expected = /expected .*/s.exec(issue.message)?.[0].replace(/, received .*$/, '') ?? issue.message;
  const found = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], document);
  return found === undefined
    ? `${field} is missing; ${expected}`
    : `${field} is ${JSON.stringify(found).slice(0, 100)}; ${expected}`;
}

/** `models[0].serving` */
function fieldOf(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'the document';
}

function shapeAt(path: readonly PropertyKey[]): object {
  if (path.at(-1) === 'serving') return PartialServing.shape;
  return path.length === 0 ? ConfigFile.shape : Model.shape;
}
