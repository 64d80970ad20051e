import { expect, test } from '@jest/globals';
import { freeMemory } from '../../../model-server/free-memory.ts';
import { findNumberList, NumberList } from '../../../model-server/protocol/number-list.ts';

test('an array that has its memory for itself is empty afterwards', () => {
  const array = new Float32Array(1024);
  freeMemory(array);
  expect([array.length, array.byteLength, array.buffer.byteLength]).toEqual([0, 0, 0]);
  freeMemory(array);
});

test('memory that is shared, or hardly any, is left', () => {
  const whole = new Uint8Array(8192).fill(7);
  freeMemory(whole.subarray(0, 4096));
  const small = Float64Array.of(1, 2, 3);
  freeMemory(small);
  const shared = new Uint8Array(new SharedArrayBuffer(8192));
  freeMemory(shared);
  expect([whole[0], whole.length, small.length, shared.length]).toEqual([7, 8192, 3, 8192]);
});

test('numbers that are given up for another datatype are freed, those that are the tensor are not', () => {
  const numbers = Array.from({ length: 2000 }, (_, index) => index);
  const bytes = Buffer.from(JSON.stringify(numbers));
  const list = () => NumberList.of(bytes, findNumberList(bytes, 0)!);
  const [kept, other] = [list(), list()];
  const singles = [kept.takeElements('FP32')!, other.takeElements('FP32')!];
  expect(other.takeElements('INT32')).toEqual(Int32Array.from(numbers));
  expect(singles).toEqual([Float32Array.from(numbers), new Float32Array(0)]);
});
