/** What was asked on the command line. Every refusal is a sentence that names the argument. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { isCityName, MAX_CITY_NAME_LENGTH } from '../../crds/region.ts';

/** The command line makes no sense; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Target {
  /** Of the kubeconfig; its current one when absent. */
  readonly context?: string;
  readonly kubeconfig?: string;
  /** Of the context when absent. */
  readonly namespace?: string;
}

export type OutputFormat = 'values' | 'secret';

export type Command =
  | ({
      readonly name: 'join';
      readonly city: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly address?: string;
      /** Where routes of the hub may lead, as CIDR ranges. */
      readonly addressRanges: readonly string[];
      /** The hub as the city reaches it, where the kubeconfig knows it by another URL. */
      readonly server?: string;
      /** File to write; `-` is the terminal. */
      readonly output?: string;
      readonly format: OutputFormat;
      readonly rotate: boolean;
      readonly timeoutSeconds: number;
    } & Target)
  | ({
      readonly name: 'leave';
      readonly city: string;
      /** Although it still runs replicas. */
      readonly now: boolean;
      readonly timeoutSeconds: number;
    } & Target)
  | ({ readonly name: 'plan'; readonly files: readonly string[] } & Target)
  | ({ readonly name: 'cities' } & Target)
  | ({ readonly name: 'status'; readonly service: string } & Target)
  | { readonly name: 'help'; readonly topic?: string };

const TARGET = {
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const OPTIONS = {
  join: {
    ...TARGET,
    label: { type: 'string', short: 'l', multiple: true },
    address: { type: 'string' },
    'address-range': { type: 'string', multiple: true },
    server: { type: 'string' },
    output: { type: 'string', short: 'o' },
    format: { type: 'string' },
    rotate: { type: 'boolean' },
    timeout: { type: 'string' },
  },
  leave: { ...TARGET, now: { type: 'boolean' }, timeout: { type: 'string' } },
  plan: { ...TARGET, filename: { type: 'string', short: 'f', multiple: true } },
  cities: TARGET,
  status: TARGET,
} as const satisfies Record<string, ParseArgsOptionsConfig>;

type Name = keyof typeof OPTIONS;

/**
 * @param words as in `process.argv.slice(2)`
 * @throws UsageError
 */
export function parseCommand(words: readonly string[]): Command {
  const [name, ...rest] = words;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    return { name: 'help', ...(rest[0] && { topic: rest[0] }) };
  }
  if (!Object.hasOwn(OPTIONS, name)) {
    throw new UsageError(
      `there is no command "${name}"; the commands are ${Object.keys(OPTIONS).join(', ')}`,
    );
  }
  if (rest.some((word) => word === '--help' || word === '-h')) return { name: 'help', topic: name };
  switch (name as Name) {
    case 'join':
      return joinCommand(rest);
    case 'leave': {
      const { values, positionals } = read('leave', rest);
      return {
        name: 'leave',
        city: cityName('leave', positionals),
        now: values.now ?? false,
        timeoutSeconds: seconds(values.timeout),
        ...target(values),
      };
    }
    case 'plan': {
      const { values, positionals } = read('plan', rest);
      none('plan', positionals);
      if (!values.filename?.length) throw new UsageError('plan needs a file: plan -f service.yaml');
      return { name: 'plan', files: values.filename, ...target(values) };
    }
    case 'cities': {
      const { values, positionals } = read('cities', rest);
      none('cities', positionals);
      return { name: 'cities', ...target(values) };
    }
    case 'status': {
      const { values, positionals } = read('status', rest);
      return { name: 'status', service: one('status', 'a service', positionals), ...target(values) };
    }
  }
}

function joinCommand(words: readonly string[]): Command {
  const { values, positionals } = read('join', words);
  const { address, server, output, format = 'values', rotate = false } = values;
  if (format !== 'values' && format !== 'secret') {
    throw new UsageError(`--format is "${format}"; expected values or secret`);
  }
  if (address !== undefined && !/^https?:\/\/\S+$/.test(address)) {
    throw new UsageError(`--address is "${address}"; expected a URL such as https://porto.example.org`);
  }
  if (server !== undefined && !/^https:\/\/[^/\s]+\/?$/.test(server)) {
    throw new UsageError(
      `--server is "${server}"; expected the URL of the hub's API server without a path, such as https://hub.example.org:6443`,
    );
  }
  return {
    name: 'join',
    city: cityName('join', positionals),
    labels: Object.fromEntries((values.label ?? []).map(label)),
    ...(address && { address }),
    addressRanges: values['address-range'] ?? [],
    ...(server && { server }),
    ...(output && { output }),
    format,
    rotate,
    timeoutSeconds: seconds(values.timeout),
    ...target(values),
  };
}

function read<N extends Name>(name: N, words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS[name], allowPositionals: true, strict: true });
  } catch (error) {
    // Node's own sentence names the option; what it advises after that is for other programs.
    const [sentence = ''] = (error as Error).message.split(/\. /);
    throw new UsageError(`${name}: ${sentence.replace(/\.$/, '')}`);
  }
}

function target(values: { context?: string; kubeconfig?: string; namespace?: string }): Target {
  const { context, kubeconfig, namespace } = values;
  return { ...(context && { context }), ...(kubeconfig && { kubeconfig }), ...(namespace && { namespace }) };
}

function one(name: Name, what: string, positionals: readonly string[]): string {
  const [word, ...more] = positionals;
  if (word === undefined) throw new UsageError(`${name} needs the name of ${what}`);
  none(name, more);
  return word;
}

function none(name: Name, positionals: readonly string[]): void {
  if (positionals.length > 0)
    throw new UsageError(`${name} does not know what to do with "${positionals[0]}"`);
}

function cityName(name: Name, positionals: readonly string[]): string {
  const city = one(name, 'a city', positionals);
  if (!isCityName(city)) {
    throw new UsageError(
      `"${city}" cannot be the name of a city: expected at most ${MAX_CITY_NAME_LENGTH} lower-case letters, digits and dashes, since it names a namespace`,
    );
  }
  return city;
}

const LABEL = /^((?:[a-z0-9.-]{1,253}\/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,62})=([A-Za-z0-9_.-]{0,63})$/;

function label(text: string): [string, string] {
  const [, key, value] = LABEL.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new UsageError(`--label is "${text}"; expected key=value, such as country=pt`);
  }
  return [key, value];
}

function seconds(text = '60'): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError(`--timeout is "${text}"; expected whole seconds, such as 60`);
}
