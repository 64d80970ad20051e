/** What the engine and the thread of a TensorFlow.js model say to each other. */
import type { Signature, Tensor } from '../protocol/tensor.ts';
import type { EngineFailure, ModelFormat } from './engine.ts';

/** Handed to the thread at its start; it answers `Loaded` or `NotLoaded`. */
export interface TfjsModelFiles {
  readonly directory: string;
  readonly format: Exclude<ModelFormat, 'SavedModel'>;
}

export type ToThread =
  /** Inputs in the signature's order; their buffers are moved here. */
  | { readonly kind: 'Run'; readonly call: number; readonly inputs: readonly Tensor[] }
  | { readonly kind: 'Close' };

export type FromThread =
  | { readonly kind: 'Loaded'; readonly signature: Signature; readonly tensorCount: number }
  | { readonly kind: 'NotLoaded'; readonly sentence: string }
  | {
      readonly kind: 'Outputs';
      readonly call: number;
      readonly outputs: readonly Tensor[];
      readonly tensorCount: number;
    }
  | {
      readonly kind: 'Refused';
      readonly call: number;
      readonly failure: EngineFailure;
      readonly sentence: string;
    };

/** Buffers of the tensors that can be moved to another thread instead of copied: each whole, and each once. */
export function movableBuffers(tensors: readonly Tensor[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { datatype, data } of tensors) {
    // Below this, moving costs more than copying.
    if (datatype === 'BYTES' || data.byteLength < 4_096 || data.buffer instanceof SharedArrayBuffer) continue;
    if (data.byteLength === data.buffer.byteLength) buffers.add(data.buffer);
  }
  return [...buffers];
}
