/** Tensors of the protocol to and from TensorFlow.js, which knows float32, int32, bool and string. */
import * as tf from '@tensorflow/tfjs-node';
import type { Tensor } from '../protocol/tensor.ts';
import { EngineError } from './engine.ts';
import { datatypeOf } from './tfjs-signature.ts';

/** Shares the array; nothing is copied but strings. */
export function toTfjs({ datatype, shape, data }: Tensor): tf.Tensor {
  switch (datatype) {
    case 'FP32':
      return tf.tensor(data, [...shape], 'float32');
    case 'INT32':
      return tf.tensor(data, [...shape], 'int32');
    case 'BOOL':
      return tf.tensor(data, [...shape], 'bool');
    case 'BYTES':
      return tf.tensor(data as unknown as tf.TensorLike, [...shape], 'string');
    default:
      throw new EngineError('Internal', `TensorFlow.js has no datatype ${datatype}`);
  }
}

/** Reads the values out; the tensor may be disposed of afterwards. */
export function fromTfjs(tensor: tf.Tensor): Tensor {
  const datatype = datatypeOf({ name: 'output', dtype: tensor.dtype });
  const { shape } = tensor;
  if (datatype === 'BYTES') return { datatype, shape, data: bytesOf(tensor) };
  return { datatype, shape, data: arrayOf(tensor) } as unknown as Tensor;
}

function arrayOf(tensor: tf.Tensor): ArrayLike<number> {
  const values: unknown = tensor.dataSync();
  if (!(values instanceof BigInt64Array)) return values as ArrayLike<number>;
  // Some of TensorFlow's kernels answer int64 where TensorFlow.js says int32, ArgMax for one.
  const narrow = Int32Array.from(values, Number);
  if (narrow.some((value, i) => BigInt(value) !== values[i])) {
    throw new EngineError(
      'Internal',
      'an output does not fit into int32, which is all that TensorFlow.js has',
    );
  }
  return narrow;
}

function bytesOf(tensor: tf.Tensor): Uint8Array[] {
  // `dataSync` would decode the strings as UTF-8, which they need not be.
  return tf.backend().readSync(tensor.dataId) as unknown as Uint8Array[];
}
