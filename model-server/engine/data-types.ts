/** TensorFlow's data types by number (tensorflow/core/framework/types.proto) and by the protocol's names. */
import type { Datatype } from '../protocol/tensor.ts';

const byNumber = new Map<number, Datatype>([
  [1, 'FP32'],
  [2, 'FP64'],
  [3, 'INT32'],
  [4, 'UINT8'],
  [5, 'INT16'],
  [6, 'INT8'],
  [7, 'BYTES'],
  [9, 'INT64'],
  [10, 'BOOL'],
  [14, 'BF16'],
  [17, 'UINT16'],
  [19, 'FP16'],
  [22, 'UINT32'],
  [23, 'UINT64'],
]);

/** Undefined for what no request can carry, such as resources, complex and quantized numbers. */
export function datatypeOfNumber(number: number): Datatype | undefined {
  return byNumber.get(number);
}

/** TensorFlow.js has five data types of its own; of these, complex64 cannot be carried. */
const byTfjsName: Readonly<Record<string, Datatype>> = {
  float32: 'FP32',
  int32: 'INT32',
  bool: 'BOOL',
  string: 'BYTES',
};

export type TfjsDtype = 'float32' | 'int32' | 'bool' | 'string';

export function datatypeOfTfjs(dtype: string): Datatype | undefined {
  return byTfjsName[dtype];
}

export function tfjsDtype(datatype: Datatype): TfjsDtype | undefined {
  return Object.keys(byTfjsName).find((name) => byTfjsName[name] === datatype) as TfjsDtype | undefined;
}
