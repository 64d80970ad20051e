import type { Signature } from '../../protocol/tensor.ts';
import type { Encoded } from './protobuf-writer.ts';

/** A TensorFlow.js model as TensorFlow runs it. */
export interface Translated {
  /** A `tensorflow.GraphDef`. */
  readonly graph: Encoded;
  /** Names and shapes as TensorFlow.js knows them; datatypes are the graph's business. */
  readonly signature: Signature;
}
