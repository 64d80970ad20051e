/** The command line. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { ConfigError, integer } from './config-error.ts';

const FLAGS = {
  model: { type: 'string', multiple: true },
  config: { type: 'string' },
  versions: { type: 'string' },
  label: { type: 'string', multiple: true },
  'model-version': { type: 'string' },
  format: { type: 'string' },
  digest: { type: 'string' },
  'public-key': { type: 'string' },
  port: { type: 'string' },
  'grpc-port': { type: 'string' },
  host: { type: 'string' },
  'max-batch-size': { type: 'string' },
  'max-delay-milliseconds': { type: 'string' },
  'queue-capacity': { type: 'string' },
  'max-backlog-milliseconds': { type: 'string' },
  'request-timeout-seconds': { type: 'string' },
  'warm-up-requests': { type: 'string' },
  'cache-directory': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

type Text = Exclude<keyof typeof FLAGS, 'help' | 'model' | 'label'>;
export type Flags = { [F in Text]?: string } & { model?: string[]; label?: string[]; help?: boolean };

/** Every flag, for those who see that none is left out of the help. */
export const FLAG_NAMES = Object.keys(FLAGS);

/** @throws ConfigError for a flag that is not known. */
export function parseFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}; --help shows all flags`);
  }
}

/** A flag's whole number. @throws ConfigError */
export function whole(flags: Flags, flag: Text, least: number, most: number): number | undefined {
  return integer(`--${flag}`, flags[flag], least, most);
}
