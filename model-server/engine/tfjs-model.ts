/** The engine's end of a TensorFlow.js model: starts its thread, hands over runs and notices when the thread dies. */
import { Worker } from 'node:worker_threads';
import type { NamedTensors, Signature } from '../protocol/tensor.ts';
import { EngineError } from './engine.ts';
import type { RunningModel } from './model.ts';
import { type FromThread, movableBuffers, type TfjsModelFiles, type ToThread } from './tfjs-messages.ts';

const tfjsThread = new URL('./tfjs-thread.ts', import.meta.url);

interface Call {
  readonly signature: Signature;
  resolve(outputs: NamedTensors): void;
  reject(error: EngineError): void;
}

/**
 * Starts a thread and loads the model in it.
 *
 * @param died told at most once, when the thread of the loaded model ends without having been asked to.
 * @throws EngineError InvalidArgument when TensorFlow.js refuses the model, Internal when it cannot be loaded for
 * another reason, such as memory: the thread dies alone.
 */
export function loadTfjs(
  files: TfjsModelFiles,
  died: (error: EngineError) => void,
  thread: URL = tfjsThread,
): Promise<RunningModel> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(thread, { workerData: files, name: 'tensorflow' });
    const starting = (message: FromThread) => {
      if (message.kind === 'Loaded') {
        worker.off('message', starting).off('error', failed).off('exit', ended);
        resolve(new TfjsModel(worker, message, died));
      } else if (message.kind === 'NotLoaded') {
        worker.off('exit', ended);
        void worker.terminate();
        reject(
          new EngineError('InvalidArgument', `TensorFlow.js cannot load the model: ${message.sentence}`),
        );
      }
    };
    const failed = (error: Error) => {
      worker.off('exit', ended);
      reject(new EngineError('Internal', `the thread that loaded the model died: ${error.message}`));
    };
    const ended = (code: number) => failed(new Error(`it ended with status ${code}`));
    worker.on('message', starting).on('error', failed).on('exit', ended);
  });
}

class TfjsModel implements RunningModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  tensorCount: number;
  readonly isSaturated = true;
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #ended: Promise<void>;
  #nextCall = 0;
  #death: EngineError | undefined;

  constructor(worker: Worker, loaded: FromThread & { kind: 'Loaded' }, died: (error: EngineError) => void) {
    this.#worker = worker;
    this.signatures = new Map([[loaded.signature.name, loaded.signature]]);
    this.tensorCount = loaded.tensorCount;
    const die = (reason: string) => {
      const wasAsked = this.#death !== undefined;
      this.#death ??= deathOf(reason);
      for (const call of this.#calls.values()) call.reject(this.#death);
      this.#calls.clear();
      if (!wasAsked) died(this.#death);
    };
    worker.on('message', (message: FromThread) => this.#settle(message));
    worker.on('messageerror', (error) => die(error.message));
    worker.on('error', (error: Error) => die(error.message));
    this.#ended = new Promise((resolve) => {
      worker.on('exit', (code) => {
        die(`it ended with status ${code}`);
        resolve();
      });
    });
  }

  run(signature: Signature, inputs: NamedTensors): Promise<NamedTensors> {
    return new Promise((resolve, reject) => {
      if (this.#death) return reject(this.#death);
      const call = this.#nextCall++;
      this.#calls.set(call, { signature, resolve, reject });
      const tensors = [...inputs.values()];
      const message: ToThread = { kind: 'Run', call, inputs: tensors };
      this.#worker.postMessage(message, movableBuffers(tensors));
    });
  }

  async close(): Promise<void> {
    this.#death ??= new EngineError('Unavailable', 'the model has been unloaded');
    const message: ToThread = { kind: 'Close' };
    this.#worker.postMessage(message);
    await this.#ended;
  }

  #settle(message: FromThread): void {
    if (message.kind !== 'Outputs' && message.kind !== 'Refused') return;
    const call = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    if (message.kind === 'Refused') {
      call?.reject(new EngineError(message.failure, `TensorFlow refused the run: ${message.sentence}`));
      return;
    }
    this.tensorCount = message.tensorCount;
    const { outputs } = message;
    call?.resolve(
      new Map(call.signature.outputs.flatMap(({ name }, i) => (outputs[i] ? [[name, outputs[i]]] : []))),
    );
  }
}

function deathOf(reason: string): EngineError {
  return new EngineError('Unavailable', `TensorFlow's thread died: ${reason}`);
}
