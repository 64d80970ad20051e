/** What the engine's two ways of running models, sessions and TensorFlow.js, have in common. */

import type { NamedTensors, Signature } from '../protocol/tensor.ts';
import type { RunOptions } from './engine.ts';

export interface RunningModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  /** Tensors that TensorFlow.js holds for it. */
  readonly tensorCount: number;
  /** @param inputs checked, in the signature's order and datatypes. Rejects with EngineError. */
  run(signature: Signature, inputs: NamedTensors, options: RunOptions): Promise<NamedTensors>;
  /** As in `Engine`. */
  readonly isSaturated: boolean;
  /** Frees it after the runs handed over before. */
  close(): Promise<void>;
}
