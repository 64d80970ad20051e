/**
 * All models of the process by their names: finds the one that a request means, lists what there is, and loads and
 * unloads by request where nobody else decides that.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { ModelEntry } from './host-words.ts';
import type { HostedModel } from './hosted-model.ts';
import type { ModelUses } from './model-uses.ts';
import type { NamedModel, RequestQueue, Which } from './named-model.ts';

export interface ModelCatalogOptions {
  models: readonly NamedModel[];
  uses: ModelUses;
  /** Whether an operator decides what is served, so that clients may not. */
  isManaged: boolean;
}

export class ModelCatalog {
  readonly #models: ReadonlyMap<string, NamedModel>;
  readonly #uses: ModelUses;
  readonly #isManaged: boolean;
  /** Names that a client has unloaded. */
  readonly #unloaded = new Set<string>();
  readonly #started = new AbortController();
  #isDraining = false;

  constructor({ models, uses, isManaged }: ModelCatalogOptions) {
    this.#models = new Map(models.map((model) => [model.name, model]));
    this.#uses = uses;
    this.#isManaged = isManaged;
    for (const model of models) model.onChange(() => this.#noteStart());
  }

  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Whether every name that is to be served is, and there is one; false while draining. */
  get isReady(): boolean {
    return !this.#isDraining && this.#wanted().length > 0 && this.#wanted().every(({ isReady }) => isReady);
  }

  /**
   * Aborts, once and for all, when the server has started: it is ready, or something keeps it from becoming so that
   * more time alone may not mend.
   */
  get started(): AbortSignal {
    return this.#started.signal;
  }

  /** The names and reasons that keep the server from being ready, in a sentence. */
  whyNotReady(): string {
    if (this.#isDraining) return 'the server is draining';
    const missing = this.#missing();
    if (missing.length === 0) return 'all models have been unloaded';
    return missing.map((model) => `${model.name}: ${model.whyNotServing()}`).join('; ');
  }

  /** One entry per version, of one name or of all. @throws ProtocolError NotFound for an unknown name. */
  entries(name?: string): ModelEntry[] {
    const models = name === undefined ? [...this.#models.values()] : [this.get(name)];
    return models.flatMap((model) => model.entries());
  }

  /** @throws ProtocolError NotFound */
  get(name: string): NamedModel {
    const model = this.#models.get(name);
    if (model) return model;
    const served = this.names.map((each) => `"${each}"`).join(', ');
    throw new ProtocolError(
      'NotFound',
      '',
      `Servable not found for request: Latest(${name.slice(0, 100)}); this server serves ${served}`,
    );
  }

  /**
   * The model that a request means.
   * @throws ProtocolError NotFound for what there is not, Unavailable while it is not served.
   */
  find(name: string, which: Which = {}): HostedModel {
    return this.get(name).find(which);
  }

  /** Keeps a model in memory while a request uses it. @returns the call that ends that; once. */
  use(model: HostedModel): () => void {
    return this.#uses.use(model);
  }

  /** The queue of a model's requests. */
  queueOf({ name }: HostedModel): RequestQueue {
    return this.get(name);
  }

  /**
   * Loads a model, or loads it afresh beside the one that serves, and waits until it has answered its warm-up.
   * @throws ProtocolError Unimplemented under an operator; NotFound; InvalidArgument with the reason when it
   * cannot be loaded, as Triton answers 400.
   */
  async load(name: string): Promise<void> {
    const model = this.#changeable(name, 'load');
    this.#unloaded.delete(name);
    const failure = await model.load();
    if (failure !== undefined) {
      throw new ProtocolError('InvalidArgument', '', `failed to load ${name}: ${failure}`);
    }
  }

  /** Serves a model no longer; what is in flight is answered. @throws ProtocolError as `load`. */
  async unload(name: string): Promise<void> {
    const model = this.#changeable(name, 'unload');
    this.#unloaded.add(name);
    this.#noteStart();
    await model.unload();
  }

  /** From now on not ready; no model is loaded any more. */
  drain(): void {
    this.#isDraining = true;
    for (const model of this.#models.values()) model.drain();
    this.#noteStart();
  }

  #noteStart(): void {
    const missing = this.#missing();
    const isStarting = missing.length > 0 && missing.every((model) => model.isStarting);
    if (!isStarting || this.#isDraining) this.#started.abort();
  }

  #wanted(): NamedModel[] {
    return [...this.#models.values()].filter(({ name }) => !this.#unloaded.has(name));
  }

  #missing(): NamedModel[] {
    return this.#wanted().filter(({ isReady }) => !isReady);
  }

  #changeable(name: string, verb: string): NamedModel {
    const model = this.get(name);
    if (this.#isDraining) throw new ProtocolError('Unavailable', '', 'the server is draining');
    if (!this.#isManaged) return model;
    throw new ProtocolError(
      'Unimplemented',
      '',
      `${verb} is not taken from clients: the operator decides what this server serves; change spec.model of the ModelService ${name}`,
    );
  }
}

/** The version that a client asked for, or all that are served. @throws ProtocolError NotFound for an unknown name */
export function versionsMeant(
  models: Pick<ModelCatalog, 'entries'>,
  name: string,
  version: string | undefined,
): string[] {
  if (version !== undefined) return [version];
  return models.entries(name).flatMap((entry) => (entry.state === 'READY' ? (entry.version ?? []) : []));
}
