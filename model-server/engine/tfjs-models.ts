/** TensorFlow.js models, run by a thread of their own: TensorFlow.js computes while its JavaScript waits. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { NamedTensors } from '../protocol/tensor.ts';
import { EngineError, type ModelFormat } from './engine.ts';
import type { ModelRunner, RunnableModel } from './runner.ts';
import { type Command, type Reply, transferables } from './tfjs-messages.ts';

export class TfjsModels implements ModelRunner {
  readonly died: Promise<EngineError>;
  readonly #worker: Worker;
  #tensorCount = 0;
  #isClosing = false;
  #death: EngineError | undefined;
  /** The one command in progress. */
  #pending: { resolve: (reply: Reply) => void; reject: (error: EngineError) => void } | undefined;

  constructor() {
    this.#worker = new Worker(new URL('./tfjs-worker.ts', import.meta.url));
    this.#worker.on('message', (reply: Reply) => {
      this.#tensorCount = reply.tensorCount;
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(reply);
    });
    this.died = new Promise((resolve) => {
      const die = (because: string) => {
        if (this.#isClosing || this.#death) return;
        this.#death = new EngineError('Unavailable', `the TensorFlow.js thread has died: ${because}`);
        this.#pending?.reject(this.#death);
        this.#pending = undefined;
        resolve(this.#death);
      };
      this.#worker.on('error', (error) => die(error instanceof Error ? error.message : String(error)));
      this.#worker.on('exit', (code) => die(`it ended with exit code ${code}`));
    });
  }

  async load(id: string, directory: string, format: ModelFormat): Promise<RunnableModel> {
    if (format === 'SavedModel') throw new EngineError('Internal', 'SavedModels are run as sessions');
    const reply = await this.#ask({ kind: 'load', id, directory, format }, 'loaded');
    return { signatures: [reply.signature] };
  }

  async run(id: string, _signature: string, inputs: NamedTensors): Promise<NamedTensors> {
    const reply = await this.#ask({ kind: 'run', id, inputs: [...inputs] }, 'ran');
    return new Map(reply.outputs);
  }

  async unload(id: string): Promise<void> {
    await this.#ask({ kind: 'unload', id }, 'done');
  }

  tensorCount(): number {
    return this.#tensorCount;
  }

  async close(): Promise<void> {
    if (this.#death) return;
    this.#isClosing = true;
    const exit = once(this.#worker, 'exit');
    this.#worker.postMessage({ kind: 'close' } satisfies Command);
    await exit;
  }

  async #ask<K extends Reply['kind']>(command: Command, expected: K): Promise<Extract<Reply, { kind: K }>> {
    if (this.#death) throw this.#death;
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#worker.postMessage(command, command.kind === 'run' ? transferables(command.inputs) : []);
    });
    if (reply.kind === 'failed') throw new EngineError(reply.failure, reply.message);
    if (reply.kind !== expected)
      throw new EngineError('Internal', `the thread answered ${reply.kind}, not ${expected}`);
    return reply as Extract<Reply, { kind: K }>;
  }
}
