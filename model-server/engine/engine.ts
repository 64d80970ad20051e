/**
 * The engine's contract: loads models and runs them on native TensorFlow, off the event loop of the caller.
 *
 * Nothing here depends on TensorFlow; `startEngine` in `host.ts` gives the real thing.
 */
import type { FailureKind } from '../protocol/errors.ts';
import type { NamedTensors, Signature } from '../protocol/tensor.ts';

export type ModelFormat = 'SavedModel' | 'TFJSGraph' | 'TFJSLayers';

/** The signature that answers when a request names none. */
export const defaultSignature = 'serving_default';

/** A model that is in memory and can run. */
export interface LoadedModel {
  readonly id: string;
  readonly format: ModelFormat;
  /** By name, never empty. TensorFlow.js models have the one signature `serving_default`. */
  readonly signatures: ReadonlyMap<string, Signature>;
  /** Wall-clock seconds that reading and building took. */
  readonly loadSeconds: number;
  /** What a person may want to know of how it runs, in sentences. */
  readonly remarks: readonly string[];
}

export interface RunOptions {
  /** Whether the rows of the run have anything to do with each other; `Together` when nothing is said. */
  readonly rows?: 'Independent' | 'Together';
  /** Runs like this one that are to go on at once, itself included; 1 when nothing is said. */
  readonly abreast?: number;
}

/** A momentary view; cheap, synchronous, and true even while a run is in progress. */
export interface EngineStats {
  /** Seconds in which at least one run was going on since the start, the current one included. Loads do not count. */
  readonly busySeconds: number;
  /** Runs handed over and not yet answered. */
  readonly inFlight: number;
  readonly loadedModels: number;
  /** Tensors that TensorFlow.js holds, for models that it runs itself. Growth under load is a leak. */
  readonly tensorCount: number;
  /** The same for each model, by its id; those that run as sessions have 0. */
  readonly tensors: ReadonlyMap<string, number>;
  /** Resident set of the whole process in bytes: native memory belongs to no single model. */
  readonly residentBytes: number;
}

/** How a run failed, as a kind of `FailureKind`. */
export type EngineFailure = Extract<FailureKind, 'InvalidArgument' | 'NotFound' | 'Unavailable' | 'Internal'>;

/**
 * Everything that the engine rejects with.
 * - `InvalidArgument`: the input does not fit the signature, or the directory holds no model that can be loaded;
 * - `NotFound`: no model of this id, or no signature of this name;
 * - `Internal`: TensorFlow failed at the run or load; the engine lives on;
 * - `Unavailable`: the engine has been closed or has died.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly kind: EngineFailure;

  constructor(kind: EngineFailure, sentence: string) {
    super(sentence);
    this.kind = kind;
  }
}

export interface Engine {
  /**
   * Reads the model in a local directory into memory, beside those already loaded.
   *
   * @param id chosen by the caller, unique among loaded models, for instance `traffic@3`.
   * @param format detected from the files when absent.
   * @throws EngineError InvalidArgument when the id is taken or the directory has no loadable model; the
   * sentence names the file and what is wrong with it. Internal when loading failed otherwise, for lack of memory
   * for one; models that are loaded are not harmed.
   */
  load(id: string, directory: string, format?: ModelFormat): Promise<LoadedModel>;

  /**
   * Runs one signature. Inputs are checked here against the signature (`checkInputs`), whoever calls: shapes and
   * datatypes that do not fit never reach native code. Any size of a variable dimension is taken, so a caller may
   * join requests along dimension 0. Runs of a session go on side by side, those of a model that TensorFlow.js runs one
   * after the other; a caller who wants neither waits for one before starting the next. A run that is known to be
   * shorter than the way to another thread and back is done before this returns its promise.
   *
   * With `rows` of `Independent` the engine may deal the rows of all inputs out to several cores and join what comes out,
   * where that is quicker. Whoever says so knows that inputs have equally many rows, and that no row of an output depends
   * on another row. With several runs `abreast` each has its share of the cores, unless other models want them as well.
   *
   * The input buffers are given away: large ones are moved to the model's thread instead of copied, or freed after the
   * run, which empties the caller's array. Neither change nor use them after the call, also not when it has failed.
   *
   * @returns every output of the signature, in the signature's order, each in a buffer of its own.
   * @throws EngineError
   */
  run(id: string, signature: string, inputs: NamedTensors, options?: RunOptions): Promise<NamedTensors>;

  /**
   * Whether a further run of the model beside those that go on would do no good: every core has work, and one more run is
   * ready to be taken up; or what goes on has all cores; or another model has run in the last second, which would have to
   * wait for all of them. Always, where runs go on one after the other, and of a model that is not loaded.
   */
  isSaturated(id: string): boolean;

  /** Frees a model once the runs handed over before have been answered. An unknown id is NotFound. */
  unload(id: string): Promise<void>;

  stats(): EngineStats;

  /**
   * Settles when the engine has died by itself: a model's thread crashed or ran out of memory. What was in flight
   * there and every later call reject with `Unavailable`. A dead engine does not come back, since TensorFlow's
   * state in the process is unknown: report not-ready and exit, so that Kubernetes starts a fresh process.
   * Never settles after `close`. A CHECK failure inside TensorFlow aborts the whole process and is not seen here.
   */
  readonly died: Promise<EngineError>;

  /** Waits for what is in flight, frees all models and ends their threads. Calls from then on are `Unavailable`. */
  close(): Promise<void>;
}
