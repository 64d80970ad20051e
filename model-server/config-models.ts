/** Which models a server that runs alone serves, from its flags and its file. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { ModelSource, Serving } from '../crds/model-service.ts';
import { parseModelUri } from '../crds/model-uri.ts';
import type { ModelAssignment } from '../crds/pod-contract.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigFile, LABEL_NAME, MODEL_NAME, type PartialServing } from './config-file.ts';
import { type Flags, whole } from './config-flags.ts';
import type { ServedName } from './serve/model-server.ts';
import { parseVersionPolicy, VERSION_POLICY_EXPECTED, type VersionPolicy } from './serve/version-policy.ts';

/** Flags that describe the files of one model. */
const OF_ONE_MODEL = ['model-version', 'format', 'digest', 'label'] as const;

/** The models of the file, then those of the flags. @throws ConfigError */
export function modelsOf(
  flags: Flags,
  file: ConfigFile | undefined,
  readFile: (path: string) => string,
): ServedName[] {
  const ofAll = flags['public-key'];
  const signature = (path: string | undefined) =>
    path === undefined ? {} : { signature: { publicKey: keyIn(path, readFile) } };
  const named = flags.model ?? [];
  const misplaced = OF_ONE_MODEL.find((flag) => flags[flag] !== undefined);
  if (misplaced !== undefined && named.length !== 1) {
    throw new ConfigError(
      `--${misplaced} is about one model and there are ${named.length} with --model: say it in the file of --config, for each model`,
    );
  }
  const serving = { ...file?.serving, ...servingFlags(flags) };
  const fromFile = (file?.models ?? []).map(
    ({ name, uri, versions, labels, serving: own, publicKeyFile, ...source }) =>
      servedName({
        ...{
          name,
          place: `the uri of the model ${name}`,
          source: { ...source, uri, ...signature(ofAll ?? publicKeyFile) },
        },
        serving: { ...file?.serving, ...own, ...servingFlags(flags) },
        policy: policyFlag(flags) ?? versions,
        labels: new Map(Object.entries(labels ?? {})),
      }),
  );
  const fromFlags = named.map((text) => {
    const [name, uri] = nameAndUri(text);
    const version = whole(flags, 'model-version', 0, Number.MAX_SAFE_INTEGER);
    const { format, digest } = flags;
    return servedName({
      ...{ name, place: '--model', source: { uri, format, version, digest, ...signature(ofAll) }, serving },
      policy: policyFlag(flags),
      labels: labelFlags(flags),
    });
  });
  const models = [...fromFile, ...fromFlags];
  const twice = models.find(({ name }, index) => models.findIndex((each) => each.name === name) !== index);
  if (twice) throw new ConfigError(`the model name "${twice.name}" is given twice; expected different names`);
  return models;
}

function keyIn(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (error) {
    throw new ConfigError(`the public key "${path}" cannot be read: ${(error as Error).message}`);
  }
}

interface Described {
  name: string;
  /** How messages call where the address stands. */
  place: string;
  source: { [F in keyof ModelSource]?: unknown };
  serving: PartialServing;
  policy: VersionPolicy | undefined;
  labels: ReadonlyMap<string, number>;
}

function servedName({ name, place, source, serving, policy, labels }: Described): ServedName {
  try {
    parseModelUri(String(source.uri));
  } catch (error) {
    throw new ConfigError((error as Error).message.replace('spec.model.uri', place));
  }
  const parsed = ModelSource.safeParse(source);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigError(`--${issue?.path.join('.') || 'model'}: ${issue?.message}`);
  }
  const { digest } = parsed.data;
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    throw new ConfigError(`--digest is "${digest}"; expected sha256: and 64 lower-case hexadecimal digits`);
  }
  if (policy && parsed.data.version !== undefined) {
    throw new ConfigError('--versions and --model-version are both given; expected one of them');
  }
  if (policy && digest !== undefined && !('specific' in policy && policy.specific.length === 1)) {
    throw new ConfigError(`a digest pins one version, and several are asked for: serve one, or leave it out`);
  }
  return {
    name,
    assignment: assignmentOf(parsed.data, Serving.parse(serving)),
    ...(policy ? { policy } : {}),
    ...(labels.size > 0 ? { labels } : {}),
  };
}

function assignmentOf(model: ModelSource, serving: Serving): ModelAssignment {
  const revision = createHash('sha256').update(JSON.stringify(model)).digest('hex').slice(0, 10);
  return { revision, model, serving };
}

function nameAndUri(text: string): [string, string] {
  const at = text.indexOf('=');
  const [name, place] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  if (!MODEL_NAME.test(name) || place === '') {
    throw new ConfigError(`--model is "${text}"; expected NAME=PATH_OR_ADDRESS`);
  }
  return [name, uriOf(place, process.cwd())];
}

/** An address as it is, a path as a place on this machine. */
export function uriOf(place: string, directory: string): string {
  return place.includes('://') ? place : `file://${resolve(directory, place)}`;
}

function policyFlag({ versions }: Flags): VersionPolicy | undefined {
  if (versions === undefined) return undefined;
  const policy = parseVersionPolicy(versions);
  if (policy) return policy;
  throw new ConfigError(`--versions is "${versions}"; expected ${VERSION_POLICY_EXPECTED}`);
}

function labelFlags({ label = [] }: Flags): Map<string, number> {
  return new Map(
    label.map((text) => {
      const [, name = '', version = ''] = /^([^=]+)=(\d{1,15})$/.exec(text) ?? [];
      if (!LABEL_NAME.test(name)) {
        throw new ConfigError(`--label is "${text}"; expected NAME=NUMBER, as stable=3`);
      }
      return [name, Number(version)];
    }),
  );
}

function servingFlags(flags: Flags): PartialServing {
  const found = {
    maxBatchSize: whole(flags, 'max-batch-size', 1, 4096),
    maxDelayMilliseconds: whole(flags, 'max-delay-milliseconds', 0, 1000),
    queueCapacity: whole(flags, 'queue-capacity', 1, 100_000),
    maxBacklogMilliseconds: whole(flags, 'max-backlog-milliseconds', 1, 3_600_000),
    requestTimeoutSeconds: whole(flags, 'request-timeout-seconds', 1, 3600),
    warmUpRequests: whole(flags, 'warm-up-requests', 1, 100),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
