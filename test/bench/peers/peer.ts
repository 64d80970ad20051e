/** A server by others as a contender of the benchmark: how it is started, asked, and ended. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientRequest, Contender, Contestant, Protocol } from '../contender.ts';
import type { BenchModel } from '../models.ts';
import { killMarked, MARK, processesMarked } from './marked-processes.ts';

/** How TensorFlow is called from Python: the fastest way, or the one that its guide shows (see `tensorflow/savedmodel.py`). */
export type Call = 'session' | 'signature';

export interface Peer {
  /** Its column, and the folder with its files. */
  readonly name: string;
  /** Of the interpreter, started in the peer's folder. */
  readonly args: (port: number) => readonly string[];
  readonly env?: (port: number) => Readonly<Record<string, string>>;
  /** Undefined where it does not speak the protocol. */
  readonly request: (
    protocol: Protocol,
    model: BenchModel,
    rows: number,
    url: string,
  ) => ClientRequest | undefined;
}

const PATIENCE_MILLISECONDS = 15_000;

/** @param python the interpreter of the peer's environment. */
export function contenderOf(peer: Peer, python: string, call: Call): Contender {
  const folder = join(import.meta.dirname, peer.name);
  return {
    name: peer.name,
    async start(model, directory, port): Promise<Contestant> {
      const mark = randomUUID();
      // Short, for the sockets that some make in it.
      const place = mkdtempSync(join(tmpdir(), 'peer-'));
      const log = join(place, 'log');
      mkdirSync(join(place, 'tmp'));
      const output = openSync(log, 'a');
      const child = spawn(python, peer.args(port), {
        cwd: folder,
        stdio: ['ignore', output, output],
        env: {
          ...{ PATH: process.env['PATH'], HOME: place, TMPDIR: join(place, 'tmp'), [MARK]: mark },
          ...{ PYTHONPATH: join(import.meta.dirname, 'tensorflow'), PYTHONDONTWRITEBYTECODE: '1' },
          ...{ TF_CPP_MIN_LOG_LEVEL: '3', BENCH_CALL: call, BENCH_PORT: String(port) },
          BENCH_MODEL: join(directory, '1'),
          BENCH_INPUT_SHAPE: model.inputShape.join(','),
          BENCH_OUTPUT_SIZE: String(model.output.size),
          ...peer.env?.(port),
        },
      });
      closeSync(output);
      const exit = once(child, 'exit').catch((error: Error) => [error.message]);
      const url = `http://127.0.0.1:${port}`;
      return {
        pid: child.pid ?? 0,
        hasEnded: exit.then(([code]) => `${peer.name} ended with ${code}: ${lastLines(log)}`),
        processes: () => processesMarked(mark),
        request: (protocol, rows, inputShape = model.inputShape) =>
          peer.request(protocol, { ...model, inputShape }, rows, url),
        async stop() {
          child.kill('SIGTERM');
          const deadline = Date.now() + PATIENCE_MILLISECONDS;
          while (processesMarked(mark).length > 0 && Date.now() < deadline) {
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          killMarked(mark);
          await exit;
          rmSync(place, { recursive: true, force: true, maxRetries: 5 });
        },
      };
    },
  };
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
}
