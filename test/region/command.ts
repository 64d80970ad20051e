import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** A program that ended with another status than 0, with what it wrote. */
export class CommandFailed extends Error {
  readonly status: number | null;
  readonly output: string;

  constructor(command: string, status: number | null, signal: string | null, output: string) {
    const ending = signal ? `was ended by ${signal}` : `ended with status ${status}`;
    super(`\`${command}\` ${ending}: ${lastLines(output) || 'it wrote nothing'}`);
    this.name = 'CommandFailed';
    this.status = status;
    this.output = output;
  }
}

/** How to run a program; all parts may be left out. */
export type CommandOptions = {
  /** Written to the program's standard input. */
  input?: string | undefined;
  directory?: string;
  /** Added to this process's environment. */
  environment?: Record<string, string>;
  /** The program is killed after this time. */
  timeoutSeconds?: number;
};

/**
 * Runs a program to its end and returns its standard output, without trailing line breaks.
 *
 * @throws CommandFailed when it ends with another status than 0; the message ends with what it wrote last
 */
export async function run(command: string, args: string[], options: CommandOptions = {}): Promise<string> {
  const child = start(command, args, options, options.input === undefined ? 'ignore' : 'pipe');
  child.stdin?.on('error', () => {}); // a program that ends early tells why by its status
  child.stdin?.end(options.input);
  const [out, err] = await finished(command, args, child);
  if (child.exitCode !== 0) throw failure(command, args, child, `${out}${err}`);
  return out.replace(/\n+$/, '');
}

/** Runs a program with this process's own standard streams and returns its exit status. */
export async function runAttached(
  command: string,
  args: string[],
  options: CommandOptions = {},
): Promise<number> {
  const child = spawn(command, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: 'inherit',
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

/**
 * Runs two programs with the first one's output as the second one's input, as a shell's `|` does, and returns
 * the second one's output.
 *
 * @throws CommandFailed when either fails; the second one's failure is told first, since it is likely the cause
 */
export async function pipe(from: [string, ...string[]], to: [string, ...string[]]): Promise<string> {
  const source = start(from[0], from.slice(1), {}, 'ignore');
  const sink = start(to[0], to.slice(1), {}, 'pipe');
  sink.stdin!.on('error', () => {}); // a reader that ends early tells why by its status
  source.on('error', () => sink.stdin!.end());
  source.stdout!.pipe(sink.stdin!);
  const reading = finished(to[0], to.slice(1), sink).finally(() => {
    if (sink.exitCode !== 0) return void source.kill('SIGKILL');
    // One that has read enough leaves a rest that nobody wants; the writer may still end in good order.
    source.stdout!.unpipe().resume();
    // A writer that is still there keeps this process alive by itself; one that has ended needs no killing.
    setTimeout(() => source.kill('SIGKILL'), writerEndsWithinSeconds * 1000).unref();
  });
  const writing = Promise.all([text(source.stderr!), ended(from[0], from.slice(1), source)]);
  const [read, written] = await Promise.allSettled([reading, writing]);
  if (read.status === 'rejected') throw read.reason;
  if (sink.exitCode !== 0) throw failure(to[0], to.slice(1), sink, read.value.join(''));
  if (written.status === 'rejected') throw written.reason;
  if (source.exitCode !== 0) throw failure(from[0], from.slice(1), source, written.value[0]);
  return read.value[0];
}

/** Whether a program of this name is on the path. */
export async function isInstalled(command: string): Promise<boolean> {
  return run('sh', ['-c', `command -v "${command}"`]).then(
    () => true,
    () => false,
  );
}

const writerEndsWithinSeconds = 30;

function start(
  command: string,
  args: string[],
  options: CommandOptions,
  stdin: 'ignore' | 'pipe',
): ChildProcess {
  return spawn(command, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: [stdin, 'pipe', 'pipe'],
    timeout: options.timeoutSeconds === undefined ? undefined : options.timeoutSeconds * 1000,
    killSignal: 'SIGKILL',
  });
}

async function finished(command: string, args: string[], child: ChildProcess): Promise<[string, string]> {
  const [out, err] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    ended(command, args, child),
  ]);
  return [out, err];
}

async function ended(command: string, args: string[], child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error) =>
      reject(new Error(`\`${[command, ...args].join(' ')}\` could not be started: ${error.message}`)),
    );
    child.on('close', () => resolve());
  });
}

function failure(command: string, args: string[], child: ChildProcess, output: string): CommandFailed {
  return new CommandFailed([command, ...args].join(' '), child.exitCode, child.signalCode, output);
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-12).join('\n');
}
