/**
 * The engine: knows the loaded models, checks what goes into them, and keeps count. SavedModels run as sessions on
 * libuv's thread pool, TensorFlow.js models each on a thread of its own; the event loop only hands over and collects.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quoted } from '../protocol/errors.ts';
import type { NamedTensors } from '../protocol/tensor.ts';
import { BusyTime } from './busy-time.ts';
import { checkInputs } from './check.ts';
import { detectFormat, tfjsFile } from './detect.ts';
import { type Engine, EngineError, type EngineStats, type LoadedModel, type ModelFormat } from './engine.ts';
import type { RunningModel } from './model.ts';
import { loadSavedModel } from './session.ts';
import { loadTfjs } from './tfjs-model.ts';

export interface EngineOptions {
  /** The program of a TensorFlow.js model's thread; another one only to see what happens when it fails. */
  readonly tfjsThread?: URL;
}

/** Gives an engine without models. TensorFlow's library is read when the first model is loaded. */
export function startEngine(options: EngineOptions = {}): Engine {
  return new TensorflowEngine(options);
}

const seconds = () => performance.now() / 1000;

class TensorflowEngine implements Engine {
  readonly died: Promise<EngineError>;
  readonly #options: EngineOptions;
  readonly #models = new Map<string, RunningModel>();
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #runs = new BusyTime(seconds);
  #resolveDied: (error: EngineError) => void = () => {};
  /** Why nothing can be asked of the engine any more. */
  #over: EngineError | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.died = new Promise((resolve) => {
      this.#resolveDied = resolve;
    });
  }

  async load(id: string, directory: string, format?: ModelFormat): Promise<LoadedModel> {
    if (this.#over) throw this.#over;
    if (this.#models.has(id) || this.#loading.has(id)) {
      throw new EngineError('InvalidArgument', `a model ${quoted(id)} is loaded already`);
    }
    const started = seconds();
    const loading = this.#open(directory, format);
    this.#loading.set(id, loading);
    try {
      const [found, model] = await loading;
      if (this.#over) {
        await model.close();
        throw this.#over;
      }
      this.#models.set(id, model);
      return { id, format: found, signatures: model.signatures, loadSeconds: seconds() - started };
    } finally {
      this.#loading.delete(id);
    }
  }

  async #open(directory: string, wanted: ModelFormat | undefined): Promise<[ModelFormat, RunningModel]> {
    const format = wanted ?? (await detectIn(directory));
    if (format === 'SavedModel') return [format, await loadSavedModel(directory)];
    return [
      format,
      await loadTfjs({ directory, format }, (error) => this.#die(error), this.#options.tfjsThread),
    ];
  }

  async run(id: string, signatureName: string, inputs: NamedTensors): Promise<NamedTensors> {
    if (this.#over) throw this.#over;
    const model = this.#modelOf(id);
    const signature = model.signatures.get(signatureName);
    if (!signature) {
      const known = [...model.signatures.keys()].map((name) => quoted(name)).join(', ');
      throw new EngineError('NotFound', `no signature ${quoted(signatureName)}; the model has ${known}`);
    }
    return this.#runs.during(model.run(signature, checkInputs(signature, inputs)));
  }

  async unload(id: string): Promise<void> {
    const model = this.#modelOf(id);
    this.#models.delete(id);
    await model.close();
  }

  stats(): EngineStats {
    const models = [...this.#models.values()];
    return {
      busySeconds: this.#runs.seconds,
      inFlight: this.#runs.going,
      loadedModels: models.length,
      tensorCount: models.reduce((sum, { tensorCount }) => sum + tensorCount, 0),
      residentBytes: process.memoryUsage.rss(),
    };
  }

  async close(): Promise<void> {
    this.#over ??= new EngineError('Unavailable', 'the engine has been closed');
    await Promise.allSettled(this.#loading.values());
    const models = [...this.#models.values()];
    this.#models.clear();
    await Promise.all(models.map((model) => model.close()));
  }

  #die(error: EngineError): void {
    if (this.#over) return;
    this.#over = error;
    this.#resolveDied(error);
  }

  #modelOf(id: string): RunningModel {
    const model = this.#models.get(id);
    if (!model) throw new EngineError('NotFound', `no model ${quoted(id)} is loaded`);
    return model;
  }
}

async function detectIn(directory: string): Promise<ModelFormat> {
  try {
    const files = await readdir(directory);
    const modelJson = files.includes(tfjsFile)
      ? await readFile(join(directory, tfjsFile), 'utf8')
      : undefined;
    return detectFormat(files, modelJson);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError(
      'InvalidArgument',
      `the model's directory cannot be read: ${(error as Error).message}`,
    );
  }
}
