/** What the engine and the TensorFlow.js thread say to each other. */
import type { Signature, Tensor } from '../protocol/tensor.ts';
import type { EngineFailure, ModelFormat } from './engine.ts';

/** Tensors cross the border as pairs; a Map would be cloned entry by entry all the same. */
export type TensorEntries = [name: string, tensor: Tensor][];

export type Command =
  | { kind: 'load'; id: string; directory: string; format: Exclude<ModelFormat, 'SavedModel'> }
  | { kind: 'run'; id: string; inputs: TensorEntries }
  | { kind: 'unload'; id: string }
  | { kind: 'close' };

export type Reply = { tensorCount: number } & (
  | { kind: 'loaded'; signature: Signature }
  | { kind: 'ran'; outputs: TensorEntries }
  | { kind: 'done' }
  | { kind: 'failed'; failure: EngineFailure; message: string }
);

/** The whole buffers behind tensors: given away instead of copied. A view of a part of a buffer is copied. */
export function transferables(entries: TensorEntries): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const [, { data }] of entries) {
    if (Array.isArray(data)) continue;
    if (data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength)
      buffers.add(data.buffer);
  }
  return [...buffers];
}
