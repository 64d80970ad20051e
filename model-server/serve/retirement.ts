import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';
import type { HostedModel } from './hosted-model.ts';
import type { LoadTurns } from './load-turns.ts';
import type { ModelUses } from './model-uses.ts';

export interface RetirementOptions {
  readonly engine: Engine;
  readonly uses: ModelUses;
  readonly turns: Pick<LoadTurns, 'leaving'>;
  readonly log: Logger;
}

/** Where models go that are served no more: each leaves memory after the last answer of the requests that use it. */
export class Retirement {
  readonly #options: RetirementOptions;
  readonly #models = new Set<HostedModel>();
  readonly #unloading = new Set<Promise<void>>();

  constructor(options: RetirementOptions) {
    this.#options = options;
  }

  /** Those of which requests are still being answered. */
  get models(): Iterable<HostedModel> {
    return this.#models;
  }

  /** A failure to unload is logged. */
  retire(model: HostedModel): void {
    this.#models.add(model);
    const unloaded = this.#unloadWhenFree(model);
    this.#unloading.add(unloaded);
    this.#options.turns.leaving(unloaded);
    void unloaded.finally(() => this.#unloading.delete(unloaded));
  }

  /** Resolves when all are out of memory. */
  async untilUnloaded(): Promise<void> {
    await Promise.all(this.#unloading);
  }

  async #unloadWhenFree(model: HostedModel): Promise<void> {
    const { engine, uses, log } = this.#options;
    await new Promise<void>((resolve) => uses.whenFree(model.id, resolve));
    this.#models.delete(model);
    try {
      await engine.unload(model.id);
      log.info({ model: model.id }, 'model unloaded');
    } catch (error) {
      log.warn({ model: model.id, error: (error as Error).message }, 'model not unloaded');
    }
  }
}
