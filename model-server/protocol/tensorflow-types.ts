/** TensorFlow's names and numbers for the datatypes (tensorflow/core/framework/types.proto). Pure. */
import type { Datatype } from './tensor.ts';

const types: readonly (readonly [number, string, Datatype])[] = [
  [1, 'DT_FLOAT', 'FP32'],
  [2, 'DT_DOUBLE', 'FP64'],
  [3, 'DT_INT32', 'INT32'],
  [4, 'DT_UINT8', 'UINT8'],
  [5, 'DT_INT16', 'INT16'],
  [6, 'DT_INT8', 'INT8'],
  [7, 'DT_STRING', 'BYTES'],
  [9, 'DT_INT64', 'INT64'],
  [10, 'DT_BOOL', 'BOOL'],
  [14, 'DT_BFLOAT16', 'BF16'],
  [17, 'DT_UINT16', 'UINT16'],
  [19, 'DT_HALF', 'FP16'],
  [22, 'DT_UINT32', 'UINT32'],
  [23, 'DT_UINT64', 'UINT64'],
];
const byNumber = new Map(types.map(([number, , datatype]) => [number, datatype]));
const names = new Map(types.map(([, name, datatype]) => [datatype, name]));

/** The datatype of a `DataType` enum number; undefined for complex, quantised, resource and variant types. */
export function datatypeOfNumber(number: number): Datatype | undefined {
  return byNumber.get(number);
}

/** TensorFlow's name of a datatype, such as `DT_FLOAT`. */
export function tensorflowName(datatype: Datatype): string {
  return names.get(datatype) as string;
}
