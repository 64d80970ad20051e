/** What the engine asks of each of its two ways to run models. Calls come one at a time and are already checked. */
import type { NamedTensors, Signature } from '../protocol/tensor.ts';
import type { EngineError, ModelFormat } from './engine.ts';

export interface RunnableModel {
  /** At least one. */
  readonly signatures: readonly Signature[];
}

/** Rejects with EngineError only. */
export interface ModelRunner {
  load(id: string, directory: string, format: ModelFormat): Promise<RunnableModel>;
  /** `id` and `signature` exist and `inputs` fit. */
  run(id: string, signature: string, inputs: NamedTensors): Promise<NamedTensors>;
  unload(id: string): Promise<void>;
  tensorCount(): number;
  close(): Promise<void>;
  /** Settles when the runner has died by itself. */
  readonly died?: Promise<EngineError>;
}
