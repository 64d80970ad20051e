/**
 * The engine: knows the loaded models, checks what goes into them, and keeps count. Models run as TensorFlow sessions,
 * TensorFlow.js models translated into graphs. What cannot be translated runs operation by operation, each such model
 * on a thread of its own.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quoted } from '../protocol/errors.ts';
import type { NamedTensors } from '../protocol/tensor.ts';
import { BusyTime } from './busy-time.ts';
import { checkInputs } from './check.ts';
import { detectFormat, tfjsFile } from './detect.ts';
import {
  type Engine,
  EngineError,
  type EngineStats,
  type LoadedModel,
  type ModelFormat,
  type RunOptions,
} from './engine.ts';
import { NotTranslatable } from './graph/not-translatable.ts';
import type { RunningModel } from './model.ts';
import type { RunWay } from './run-ways.ts';
import { loadSavedModel } from './session.ts';
import { loadTfjs } from './tfjs-model.ts';
import { loadTfjsSession } from './tfjs-session.ts';

export interface EngineOptions {
  /**
   * How TensorFlow.js models run: translated into sessions where that is possible, the default, or always operation by
   * operation in TensorFlow.js, several times slower, to compare the two.
   */
  readonly tfjs?: 'Sessions' | 'Operations';
  /** Whether variables of SavedModels become constants where that is possible, the default; or never, to compare the two. */
  readonly variables?: 'Constants' | 'Kept';
  /** How runs of sessions use the cores: whichever way is quickest, the default, or always one way, to compare them. */
  readonly way?: RunWay | 'Best';
  /** The program of a TensorFlow.js model's thread; another one only to see what happens when it fails. */
  readonly tfjsThread?: URL;
}

/** Gives an engine without models. TensorFlow's library is read when the first model is loaded. */
export function startEngine(options: EngineOptions = {}): Engine {
  return new TensorflowEngine(options);
}

interface Opened {
  readonly format: ModelFormat;
  readonly model: RunningModel;
  readonly remarks: readonly string[];
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
      const { format: found, model, remarks } = await loading;
      if (this.#over) {
        await model.close();
        throw this.#over;
      }
      this.#models.set(id, model);
      return { id, format: found, signatures: model.signatures, loadSeconds: seconds() - started, remarks };
    } finally {
      this.#loading.delete(id);
    }
  }

  async #open(directory: string, wanted: ModelFormat | undefined): Promise<Opened> {
    const format = wanted ?? (await detectIn(directory));
    const { tfjs = 'Sessions', tfjsThread, variables = 'Constants', way = 'Best' } = this.#options;
    if (format === 'SavedModel') return { format, ...(await loadSavedModel(directory, { variables, way })) };
    const remarks: string[] = [];
    if (tfjs === 'Sessions') {
      try {
        return { format, model: await loadTfjsSession({ directory, format }, way), remarks };
      } catch (error) {
        // Whatever else is wrong with it, TensorFlow.js has the last word on its own models.
        const isKnown = error instanceof NotTranslatable || error instanceof EngineError;
        const reason = isKnown ? error.message : `it is not understood: ${(error as Error).message}`;
        remarks.push(`the model runs operation by operation in TensorFlow.js, which is slower: ${reason}`);
      }
    }
    return {
      format,
      model: await loadTfjs({ directory, format }, (error) => this.#die(error), tfjsThread),
      remarks,
    };
  }

  async run(
    id: string,
    signatureName: string,
    inputs: NamedTensors,
    options: RunOptions = {},
  ): Promise<NamedTensors> {
    if (this.#over) throw this.#over;
    const model = this.#modelOf(id);
    const signature = model.signatures.get(signatureName);
    if (!signature) {
      const known = [...model.signatures.keys()].map((name) => quoted(name)).join(', ');
      throw new EngineError('NotFound', `no signature ${quoted(signatureName)}; the model has ${known}`);
    }
    const checked = checkInputs(signature, inputs);
    return this.#runs.during(() => model.run(signature, checked, options));
  }

  isSaturated(id: string): boolean {
    return this.#models.get(id)?.isSaturated ?? true;
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
      tensors: new Map([...this.#models].map(([id, { tensorCount }]) => [id, tensorCount])),
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
