/** The engine: one door to the two ways of running models, in the order of the calls and never unchecked. */
import { performance } from 'node:perf_hooks';
import type { NamedTensors } from '../protocol/tensor.ts';
import { findMismatch } from './check.ts';
import { detectFormat } from './detect.ts';
import { type Engine, EngineError, type EngineStats, type LoadedModel, type ModelFormat } from './engine.ts';
import type { ModelRunner } from './runner.ts';
import { SavedModels } from './saved-models.ts';
import { sessionAddon } from './session-addon.ts';
import { TfjsModels } from './tfjs-models.ts';
import { Turnstile } from './turnstile.ts';

/** Starts nothing yet: TensorFlow is loaded with the first model. */
export function startEngine(): Engine {
  return new Host();
}

interface Hosted {
  readonly model: LoadedModel;
  readonly runner: ModelRunner;
}

class Host implements Engine {
  readonly died: Promise<EngineError>;
  readonly #turnstile = new Turnstile(() => performance.now());
  readonly #models = new Map<string, Hosted>();
  #savedModels: SavedModels | undefined;
  #tfjsModels: TfjsModels | undefined;
  #reportDeath!: (error: EngineError) => void;
  /** Why every further call is refused. */
  #end: EngineError | undefined;

  constructor() {
    this.died = new Promise((resolve) => {
      this.#reportDeath = resolve;
    });
  }

  async load(id: string, directory: string, format?: ModelFormat): Promise<LoadedModel> {
    return await this.#turnstile.pass(async () => {
      this.#refuseAfterEnd();
      if (this.#models.has(id)) throw new EngineError('InvalidArgument', `a model "${id}" is already loaded`);
      const startedAt = performance.now();
      const actual = format ?? (await detectFormat(directory));
      const runner = this.#runnerFor(actual);
      const { signatures } = await runner.load(id, directory, actual);
      const model: LoadedModel = {
        id,
        format: actual,
        signatures: new Map(signatures.map((signature) => [signature.name, signature])),
        loadSeconds: (performance.now() - startedAt) / 1000,
      };
      this.#models.set(id, { model, runner });
      return model;
    });
  }

  async run(id: string, signatureName: string, inputs: NamedTensors): Promise<NamedTensors> {
    return await this.#turnstile.pass(async () => {
      const { model, runner } = this.#hosted(id);
      const signature = model.signatures.get(signatureName);
      if (!signature) {
        const known = [...model.signatures.keys()].map((name) => `"${name}"`).join(', ');
        throw new EngineError(
          'NotFound',
          `model "${id}" has no signature "${signatureName}"; it has ${known}`,
        );
      }
      const mismatch = findMismatch(signature, inputs);
      if (mismatch) throw new EngineError('InvalidArgument', `${mismatch.field}: ${mismatch.sentence}`);
      return await runner.run(id, signatureName, inputs);
    });
  }

  async unload(id: string): Promise<void> {
    await this.#turnstile.pass(async () => {
      const { runner } = this.#hosted(id);
      this.#models.delete(id);
      await runner.unload(id);
    });
  }

  stats(): EngineStats {
    return {
      busySeconds: this.#turnstile.busySeconds,
      inFlight: this.#turnstile.inFlight,
      loadedModels: this.#models.size,
      tensorCount: this.#tfjsModels?.tensorCount() ?? 0,
      residentBytes: process.memoryUsage.rss(),
    };
  }

  async close(): Promise<void> {
    this.#end ??= new EngineError('Unavailable', 'the engine is closed');
    await this.#turnstile.idle();
    this.#models.clear();
    await Promise.all([this.#savedModels?.close(), this.#tfjsModels?.close()]);
  }

  #hosted(id: string): Hosted {
    this.#refuseAfterEnd();
    const hosted = this.#models.get(id);
    if (!hosted) throw new EngineError('NotFound', `no model "${id}" is loaded`);
    return hosted;
  }

  #refuseAfterEnd(): void {
    if (this.#end) throw this.#end;
  }

  #runnerFor(format: ModelFormat): ModelRunner {
    if (format === 'SavedModel') {
      this.#savedModels ??= new SavedModels(sessionAddon());
      return this.#savedModels;
    }
    if (!this.#tfjsModels) {
      this.#tfjsModels = new TfjsModels();
      void this.#tfjsModels.died.then((error) => {
        this.#end ??= error;
        this.#reportDeath(error);
      });
    }
    return this.#tfjsModels;
  }
}
