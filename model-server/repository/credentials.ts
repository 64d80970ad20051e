/**
 * What the sources of models may know in secret: the files of the Secret that `spec.model.credentialsSecretRef` names,
 * and beneath them the variables of the process, for a server that runs alone. Read anew for every use, so that a
 * renewed credential counts without a restart.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Key of the Secret, or variable → text without surrounding white space. */
export type Settings = Readonly<Record<string, string | undefined>>;

export interface SourceCredentials {
  /** How messages call where credentials come from. */
  readonly name: string;
  /** The Secret over the variables. */
  read(): Promise<Settings>;
  /** The Secret alone. */
  readSecret(): Promise<Settings>;
}

export interface CredentialOptions {
  /** Where the Secret is mounted; it may be empty or missing. */
  directory?: string | undefined;
  /** Name of the Secret, for messages. */
  secretName?: string | undefined;
  /** Variables of the process; a variable that says where to fetch from outranks the Secret. */
  variables?: Settings | undefined;
}

/** More than any key or token; a larger file is none. */
const MAX_KEY_BYTES = 1 << 20;

/**
 * Where to fetch from may be said in the ModelService itself, in `spec.podTemplate.env`: there the operator can read it
 * and open no more ports than that.
 */
const PLACES = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_DEFAULT_REGION'];

export function sourceCredentials(options: CredentialOptions): SourceCredentials {
  const { directory, secretName, variables = {} } = options;
  const places = Object.fromEntries(
    PLACES.flatMap((name) => (variables[name] ? [[name, variables[name]]] : [])),
  );
  const readSecret = async () => (directory === undefined ? {} : await filesOf(directory));
  return {
    readSecret,
    read: async () => ({ ...variables, ...(await readSecret()), ...places }),
    name:
      secretName === undefined
        ? 'the environment'
        : `the Secret ${JSON.stringify(secretName)} (spec.model.credentialsSecretRef)`,
  };
}

async function filesOf(directory: string): Promise<Settings> {
  // The kubelet's own entries begin with two dots.
  const names = (await readdir(directory).catch(() => [])).filter((name) => !name.startsWith('..'));
  const entries = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(directory, name), 'utf8').catch(() => '');
      return [name, text.length > MAX_KEY_BYTES ? undefined : text.trim() || undefined] as const;
    }),
  );
  return Object.fromEntries(entries.filter(([, text]) => text !== undefined));
}
